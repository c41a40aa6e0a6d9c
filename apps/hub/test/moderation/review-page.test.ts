import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath, launchChromium } from '../../../../test/support/browser.ts'
import { frameIdOf, TestHub } from './hub.ts'

const executable = chromiumPath()
const WAIT_MS = 60_000
const RULES = ['cat-in-view', 'coffee-or-tea', 'boat-on-the-water']

describe.skipIf(executable === undefined)('the review page in a browser', () => {
  let hub: TestHub
  let browser: Browser
  let page: Page
  const complaints: string[] = []

  beforeAll(async () => {
    hub = await TestHub.start()
    for (const [i, rule] of RULES.entries()) {
      await hub.sendIncident({
        incident: `01JD00000000000000000000R${i}`,
        rule,
        ruleName: rule,
        severity: (['critical', 'high', 'low'] as const)[i]!,
        camera: ['yard', 'lobby', 'harbour'][i]!,
        bestFrame: i + 1,
      })
    }
    browser = await launchChromium(executable!)
    page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
    page.setDefaultTimeout(WAIT_MS)
    page.on('console', message => {
      if (message.type() === 'error') complaints.push(message.text())
    })
    page.on('pageerror', error => complaints.push(String(error)))
    await page.goto(`${hub.url}/#/review`)
    await page.getByText('3 incidents to review').waitFor()
  })

  afterAll(async () => {
    await browser?.close()
    await hub?.stop()
  })

  const title = () => page.getByRole('heading', { level: 2 }).first()
  const showing = (rule: string) => page.locator('#review-title', { hasText: rule }).waitFor()
  const verdicts = async () => {
    const { events } = (await hub.call('/api/v1/events')).body
    return Object.fromEntries(
      events.map((event: { rule: string; review: { verdict: string } | null }) => [
        event.rule,
        event.review?.verdict ?? null,
      ]),
    )
  }

  it('is worked through from the keyboard alone', async () => {
    await showing('cat-in-view')
    await page.keyboard.press('j')
    await showing('coffee-or-tea')
    await page.keyboard.press('ArrowUp')
    await showing('cat-in-view')
    await page.keyboard.press('c')
    await showing('coffee-or-tea')
    await page.keyboard.press('d')
    await showing('boat-on-the-water')
    expect(await verdicts()).toEqual({
      'cat-in-view': 'confirm',
      'coffee-or-tea': 'dismiss',
      'boat-on-the-water': null,
    })
    await page.keyboard.press('u')
    await showing('coffee-or-tea')
    await expect.poll(async () => (await verdicts())['coffee-or-tea']).toBeNull()
    expect(await title().textContent()).toContain('coffee-or-tea')
  })

  it('relabels, and asks for more when all is done', async () => {
    await page.getByLabel('It shows what another rule looks for').selectOption('cat-in-view')
    await showing('boat-on-the-water')
    await page.keyboard.press('d')
    await page.getByRole('button', { name: 'Look for more' }).click()
    await page.getByText('Nothing to review').waitFor()
    expect(await verdicts()).toMatchObject({ 'coffee-or-tea': 'relabel', 'boat-on-the-water': 'dismiss' })
    const { labels } = (await hub.call('/api/v1/labels?rule=cat-in-view')).body
    expect(labels.map((label: { positive: boolean }) => label.positive)).toEqual([true, true])
  })

  it('shows the verdict and its note with the frame', async () => {
    await hub.post('/api/v1/review/01JD00000000000000000000R0', {
      verdict: 'confirm',
      note: 'a moose, in truth',
    })
    await page.goto(`${hub.url}/#/live?frame=${frameIdOf(1)}`)
    const drawer = page.getByRole('dialog')
    await drawer.getByText('· confirm').waitFor()
    await drawer.getByText('a moose, in truth').waitFor()
    await page.goto(`${hub.url}/#/review`)
  })

  it('passes the accessibility rules, and complains of nothing', async () => {
    for (const incident of ['01JD00000000000000000000R0', '01JD00000000000000000000R1'])
      await hub.call(`/api/v1/review/${incident}`, { method: 'DELETE' })
    await page.reload()
    await showing('cat-in-view')
    // The page's policy lets no foreign script in; the test steps around the page, not around the policy.
    const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js')
    const context = await browser.newContext({ bypassCSP: true, viewport: { width: 1280, height: 800 } })
    const checked = await context.newPage()
    await checked.goto(`${hub.url}/#/review`)
    await checked.locator('#review-title').waitFor()
    await checked.addScriptTag({ path: axe })
    const violations = await checked.evaluate(async () => {
      const { axe } = globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string }[] }> } }
      return (await axe.run()).violations.map(({ id }) => id)
    })
    expect(violations).toEqual([])
    await context.close()
    expect(complaints).toEqual([])
  })
})
