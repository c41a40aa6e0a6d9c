import { beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage } from '../support/browser-stage.ts'
import { dashboardViews, show } from '../support/dashboard-views.ts'
import { type Furnished, firstAdmin, furnish } from '../support/furnished-hub.ts'
import { PASSWORD, signIn, visitor } from '../support/people.ts'

/** In one text, for every place: a tag, a way out of an attribute, an address that is a script, a template. */
const HOSTILE = `"'><img src=x onerror=pwned=1><svg onload=pwned=1><a href="javascript:pwned=1">{{7*7}}</a>`

/** Counts in the page what the policy had to stop. */
const WATCH = `window.violations = []
document.addEventListener('securitypolicyviolation', event => violations.push(event.violatedDirective + ' ' + event.blockedURI))`

const FOUND = `({
  pwned: typeof pwned !== 'undefined',
  violations,
  planted: document.querySelectorAll('img[src="x"], svg[onload], a[href^="javascript:"], [onerror], main script').length,
  shown: document.body.innerText.includes('onerror=pwned=1') || [...document.querySelectorAll('input, textarea')].some(field => field.value.includes('onerror=pwned=1')),
})`

interface Found {
  readonly pwned: boolean
  readonly violations: readonly string[]
  readonly planted: number
  readonly shown: boolean
}

const executable = chromiumPath()

describe.skipIf(executable === undefined)('names that are programs', () => {
  const stage = BrowserStage.forAllTests(executable)
  let furnished: Furnished

  beforeAll(async () => {
    furnished = await furnish(stage.hub, HOSTILE)
    await firstAdmin(stage.hub, 'ada')
  })

  it('are shown as the texts that they are on every page, and the policy had nothing to stop', async () => {
    const visit = await visitor(stage.browser)
    const { page, context } = visit
    await context.addInitScript(WATCH)
    await page.goto(stage.hub.url)
    await signIn(page, 'ada')
    const shown: string[] = []
    for (const view of dashboardViews(furnished, HOSTILE)) {
      await show(visit, stage.hub.url, view)
      const found = await page.evaluate<Found>(FOUND)
      expect(found, view.name).toMatchObject({ pwned: false, violations: [], planted: 0 })
      if (found.shown) shown.push(view.name)
    }
    // The texts were really there.
    expect(shown).toEqual(
      expect.arrayContaining(['search', 'results', 'live', 'device', 'rules', 'review', 'drawer']),
    )
    await context.close()
  }, 180_000)

  it('are refused where a name has a pattern', async () => {
    const session = await fetch(`${stage.hub.url}/api/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'ada', password: PASSWORD }),
    })
    const cookie = session.headers.getSetCookie()[0]?.split(';')[0] ?? ''
    for (const [path, body] of [
      ['users', { name: HOSTILE, password: PASSWORD, role: 'viewer' }],
      ['users', { name: 'bob', password: PASSWORD, role: 'viewer', scope: [HOSTILE] }],
      ['keys', { name: HOSTILE, role: 'viewer' }],
      ['enrollments', { site: HOSTILE, node: 'n1' }],
      ['enrollments', { site: 'default', node: HOSTILE }],
      [`index?site=default&camera=${encodeURIComponent(HOSTILE)}`, [{ vector: [1] }]],
      ['rules', { id: HOSTILE, name: 'x', positives: ['x'] }],
      ['rules', { id: 'x', name: 'x', positives: ['x'], category: HOSTILE }],
    ] as const) {
      const { status } = await fetch(`${stage.hub.url}/api/v1/${path}`, {
        method: 'POST',
        headers: { cookie, origin: stage.hub.url, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      expect([400, 422], path).toContain(status)
    }
  })
})
