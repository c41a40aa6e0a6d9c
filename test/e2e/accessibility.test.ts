import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage } from '../support/browser-stage.ts'
import { dashboardViews, SIGN_IN, show } from '../support/dashboard-views.ts'
import { type Furnished, firstAdmin, furnish } from '../support/furnished-hub.ts'
import { PASSWORD, signIn, visitor } from '../support/people.ts'
import { samplePhotos } from '../support/samples.ts'

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
/** Animated colours are not what is read in the end. */
const SETTLED = `Promise.all(document.getAnimations().map(animation => animation.finished.catch(() => {})))`
const RUN = `axe.run(document, { resultTypes: ['violations'] })`

/** Names are long where many people give them. */
const LONG = 'A boat that nobody knows, between the lighthouse and the old fish market, before the sun is up'
/** Whether a reader has to push the page from side to side. */
const TOO_WIDE = 'document.documentElement.scrollWidth > document.documentElement.clientWidth'

const executable = chromiumPath()

describe.skipIf(executable === undefined)('accessibility', () => {
  const stage = BrowserStage.forAllTests(executable)
  let furnished: Furnished
  let axe = ''

  beforeAll(async () => {
    furnished = await furnish(stage.hub, LONG)
    await aFrameOf('c'.repeat(64))
    await firstAdmin(stage.hub, 'ada')
    axe = await readFile(AXE, 'utf8')
  })

  async function aFrameOf(camera: string): Promise<void> {
    const image = (await readFile((await samplePhotos())[0]!.path)).toString('base64')
    const path = `/api/v1/index?site=default&node=n1&camera=${camera}`
    const headers = { 'content-type': 'application/json' }
    const body = JSON.stringify([{ image }])
    expect((await fetch(stage.hub.url + path, { method: 'POST', headers, body })).status).toBe(200)
  }

  /** In light and in dark: colours are all that differs between them. */
  async function seriousOn(page: Page): Promise<string[]> {
    // It stays in the page; the sign-in is one of its own.
    if (!(await page.evaluate<boolean>(`'axe' in window`))) await page.evaluate(axe)
    const found: string[] = []
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.evaluate(SETTLED)
      const { violations } = await page.evaluate<AxeResults>(RUN)
      for (const { id, impact, nodes } of violations)
        if (impact === 'serious' || impact === 'critical')
          found.push(`${colorScheme}: ${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
    }
    return found
  }

  it.each([1280, 390])(
    'finds nothing serious at %d pixels, in light and in dark',
    async width => {
      const visit = await visitor(stage.browser, { viewport: { width, height: 844 } })
      const { page } = visit
      const found: Record<string, string[]> = {}
      await show(visit, stage.hub.url, SIGN_IN)
      found['sign-in'] = await seriousOn(page)
      await signIn(page, 'ada', PASSWORD)
      for (const view of dashboardViews(furnished, 'a boat')) {
        await show(visit, stage.hub.url, view)
        found[view.name] = await seriousOn(page)
        if (await page.evaluate<boolean>(TOO_WIDE)) found[view.name]!.push('wider than the screen')
      }
      expect(Object.entries(found).filter(([, faults]) => faults.length > 0)).toEqual([])
      expect(Object.keys(found).length).toBeGreaterThan(15)
      await visit.context.close()
    },
    240_000,
  )
})
