import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath, launchChromium, WAIT_MS } from '../support/browser.ts'
import { dashboardViews, SIGN_IN, show } from '../support/dashboard-views.ts'
import { type Furnished, firstAdmin, furnish } from '../support/furnished-hub.ts'
import { PASSWORD, signIn } from '../support/people.ts'
import { type HubHandle, scratch, startHub } from '../support/processes.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
/** Animated colours are not what is read in the end. */
const SETTLED = `Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => {})))`
const RUN = `axe.run(document, { resultTypes: ['violations'] })`

const executable = chromiumPath()

describe.skipIf(executable === undefined)('accessibility', () => {
  let space: Awaited<ReturnType<typeof scratch>>
  let hub: HubHandle
  let browser: Browser
  let furnished: Furnished
  let axe = ''

  beforeAll(async () => {
    space = await scratch()
    hub = await startHub(space.dir)
    space.own(hub.program)
    furnished = await furnish(hub, 'A boat that nobody knows')
    await firstAdmin(hub, 'ada')
    browser = await launchChromium(executable!)
    axe = await readFile(AXE, 'utf8')
  })

  afterAll(async () => {
    await browser?.close()
    await space?.clean()
  })

  async function seriousOn(page: Page): Promise<string[]> {
    await page.evaluate(SETTLED)
    await page.evaluate(axe)
    const { violations } = await page.evaluate<AxeResults>(RUN)
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
  }

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)(
    'finds nothing serious in %s at %d pixels',
    async (colorScheme, width) => {
      const viewport = { width, height: 844 }
      const context = await browser.newContext({
        viewport,
        colorScheme,
        locale: 'en-GB',
        reducedMotion: 'reduce',
      })
      context.setDefaultTimeout(WAIT_MS)
      const page = await context.newPage()
      const found: Record<string, string[]> = {}
      await show(page, hub.url, SIGN_IN)
      found['sign-in'] = await seriousOn(page)
      await signIn(page, 'ada', PASSWORD)
      for (const view of dashboardViews(furnished, 'a boat')) {
        await show(page, hub.url, view)
        found[view.name] = await seriousOn(page)
      }
      expect(Object.entries(found).filter(([, faults]) => faults.length > 0)).toEqual([])
      expect(Object.keys(found).length).toBeGreaterThan(15)
      await context.close()
    },
    180_000,
  )
})
