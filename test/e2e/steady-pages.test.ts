import type { Page, Route } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage } from '../support/browser-stage.ts'
import { type DashboardView, dashboardViews } from '../support/dashboard-views.ts'
import { type Furnished, furnish } from '../support/furnished-hub.ts'

/** Less than this is not seen, and the hand that was about to press still finds the button. */
const TOLERANCE_PX = 4
/** The live page is redrawn four times a second. */
const QUIET_FRAMES = 30

/** Notes in the page, frame by frame, which controls in sight have moved since the frame before. */
const WATCH = `window.moved = []
let places = new Map()
const look = () => {
  const now = new Map()
  for (const control of document.querySelectorAll('main :is(button, a[href], input, select, textarea, summary)')) {
    const { x, y, width } = control.getBoundingClientRect()
    if (width === 0 || control.disabled || control.closest('.footer')) continue
    const before = places.get(control)
    if (before && before.y < innerHeight && Math.hypot(before.x - x, before.y - y) > ${TOLERANCE_PX}) {
      const name = control.getAttribute('aria-label') || control.textContent.trim() || control.name
      moved.push(control.localName + ' "' + name + '" from ' + [before.x, before.y, 'to', x, y].map(at => at === 'to' ? at : Math.round(at)).join(' '))
    }
    now.set(control, { x, y })
  }
  places = now
  requestAnimationFrame(look)
}
requestAnimationFrame(look)`

const frames = (count: number) => `(async () => {
  for (let frame = 0; frame < ${count}; frame++) await new Promise(requestAnimationFrame)
})()`

const executable = chromiumPath()

describe.skipIf(executable === undefined)('pages while they load', () => {
  const stage = BrowserStage.forAllTests(executable)
  let furnished: Furnished

  beforeAll(async () => {
    furnished = await furnish(stage.hub, 'A boat that nobody knows')
  })

  /** The hub's answers reach the page one by one, in the order of the questions or in the opposite one. */
  async function openSlowly(
    page: Page,
    { hash, ready }: DashboardView,
    order: 'first' | 'last',
  ): Promise<void> {
    const held: Route[] = []
    const hold = (route: Route) =>
      route.request().url().endsWith('/events') ? route.continue() : held.push(route)
    await page.route('**/api/v1/**', hold)
    await page.goto(`${stage.hub.url}/${hash}`)
    let arrived = false
    const arrival = (async () => {
      await page.locator('.connection-live').waitFor()
      await page.locator(ready).first().waitFor()
      arrived = true
    })()
    for (let quiet = false; !quiet; ) {
      const route = order === 'first' ? held.shift() : held.pop()
      await route?.continue()
      await route?.request().response()
      quiet = route === undefined && arrived
      await page.evaluate(frames(quiet ? QUIET_FRAMES : 2))
      quiet &&= held.length === 0
    }
    await arrival
    await page.unroute('**/api/v1/**', hold)
  }

  it.each([
    [1280, 'first'],
    [390, 'last'],
  ] as const)(
    'move nothing that can be pressed, at %d pixels, the %s question answered first',
    async (width, order) => {
      const context = await stage.browser.newContext({ viewport: { width, height: 844 }, locale: 'en-GB' })
      await context.addInitScript(WATCH)
      const views = dashboardViews(furnished, 'a boat').filter(({ act }) => act === undefined)
      const page = await context.newPage()
      const moved: Record<string, string[]> = {}
      for (const view of views) {
        await page.goto('about:blank')
        await openSlowly(page, view, order)
        const told = await page.evaluate<string[]>('moved')
        if (told.length > 0) moved[view.name] = told
      }
      expect(moved).toEqual({})
      expect(views.length).toBeGreaterThan(8)
      await context.close()
    },
    120_000,
  )
})
