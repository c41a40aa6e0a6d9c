import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import type { HubApi } from '../support/api.ts'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage } from '../support/browser-stage.ts'
import { focusIsIn } from '../support/dashboard.ts'
import { furnish } from '../support/furnished-hub.ts'
import { type Visitor, visitor } from '../support/people.ts'

const WRITTEN = 'the neighbour, as every morning'
const TOP_OF_PICTURE = `document.querySelector('.review-picture').getBoundingClientRect().top`

interface Reviewed {
  readonly events: readonly { readonly review: { verdict: string; note: string | null } | null }[]
}

const executable = chromiumPath()

describe.skipIf(executable === undefined)('notes on the review page', () => {
  const stage = BrowserStage.forAllTests(executable)
  let api: HubApi
  let visit: Visitor
  let page: Page

  beforeAll(async () => {
    api = stage.api
    await furnish(stage.hub, 'A boat that nobody knows')
    visit = await visitor(stage.browser)
    page = visit.page
    await page.goto(`${stage.hub.url}/#/review`)
    await rows().nth(1).waitFor()
  })

  const rows = () => page.getByRole('list', { name: 'Incidents to review' }).getByRole('button')
  const field = () => page.getByRole('textbox', { name: /^Note/ })
  const current = (n: number) => page.locator(`.review-list li:nth-child(${n}) [aria-current=true]`).waitFor()
  const reviews = async () =>
    (await api.get<Reviewed>('/events?limit=10')).events.flatMap(({ review }) => review ?? [])

  it('takes a note from the keyboard and sends it with the verdict', async () => {
    await page.keyboard.press('n')
    expect(await focusIsIn(page, '.review-note')).toBe(true)
    // In the field the keys of the page are letters.
    await page.keyboard.type('cdu')
    await page.keyboard.press('Escape')
    expect(await field().inputValue()).toBe('')
    expect(await focusIsIn(page, '.review-note')).toBe(false)
    expect(await reviews()).toEqual([])

    await page.keyboard.press('n')
    await page.keyboard.type(WRITTEN)
    await page.keyboard.press('Enter')
    // The picture is back in view, for this verdict and the next.
    expect(await page.evaluate<number>(TOP_OF_PICTURE)).toBeGreaterThanOrEqual(0)
    // Held down, Enter must not give a verdict.
    await page.keyboard.press('Enter')
    expect(await field().inputValue()).toBe(WRITTEN)
    expect(await reviews()).toEqual([])
    await page.keyboard.press('d')
    await current(2)
    expect(await reviews()).toEqual([expect.objectContaining({ verdict: 'dismiss', note: WRITTEN })])
    // The next one has its own.
    expect(await field().inputValue()).toBe('')
  })

  it('shows the note in the list and in the record of the rule', async () => {
    await rows().first().getByText(WRITTEN).waitFor()
    await rows().first().click()
    const notes = page.getByRole('list', { name: 'Notes of reviewers' })
    await notes.getByText(WRITTEN).waitFor()
    await notes.getByText(/^dismiss, /).waitFor()
  })

  it('keeps a note that comes after the verdict, and lets it be changed', async () => {
    await current(1)
    await page.keyboard.press('n')
    await page.keyboard.press('End')
    await page.keyboard.type('; a dog')
    await page.getByRole('button', { name: 'Keep the note' }).waitFor()
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('with him')
    await page.keyboard.press('Enter')
    await page.getByRole('list', { name: 'Notes of reviewers' }).getByText('; a dog').waitFor()
    const [review] = await reviews()
    expect(review).toMatchObject({ verdict: 'dismiss', note: `${WRITTEN}; a dog\nwith him` })
    // It stays where it was, and nothing is left to keep.
    await current(1)
    await page.getByRole('button', { name: 'Keep the note' }).waitFor({ state: 'detached' })
    // Taken back, the words are still there for the next verdict.
    await page.keyboard.press('u')
    await rows().first().getByText('dismiss', { exact: true }).waitFor({ state: 'detached' })
    expect(await field().inputValue()).toMatch(/^the neighbour/)
    await page.keyboard.press('c')
    await current(2)
    expect((await reviews()).map(({ verdict }) => verdict)).toEqual(['confirm'])
  })

  it.each([
    ['light', 1280],
    ['dark', 1280],
    ['light', 390],
    ['dark', 390],
  ] as const)('fits the page in %s at %d pixels', async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 844 })
    await rows().first().click()
    await page.getByRole('list', { name: 'Notes of reviewers' }).waitFor()
    await field().focus()
    expect(await page.evaluate<boolean>('document.documentElement.scrollWidth > innerWidth')).toBe(false)
    expect(visit.complaints).toEqual([])
  })
  it('shows what another one says meanwhile, and goes on without what was deleted', async () => {
    const call = (method: string, path: string, init: RequestInit = {}) =>
      fetch(`${stage.hub.url}/api/v1/${path}`, { method, ...init })
    const headers = { 'content-type': 'application/json' }
    await rows().first().click()
    await rows().nth(1).getByText('dismiss', { exact: true }).waitFor({ state: 'detached' })
    const body = JSON.stringify({ verdict: 'dismiss' })
    await call('POST', 'review/01JD0000000000000000000002', { headers, body })
    await call('POST', 'review/01JD0000000000000000000001', { headers, body })
    for (const n of [0, 1]) await rows().nth(n).getByText('dismiss', { exact: true }).waitFor()
    // The reader is where he was.
    await current(1)
    await page.getByRole('button', { name: 'Look for more' }).waitFor()

    await call('DELETE', 'frames?site=default&camera=lighthouse')
    await page.keyboard.press('c')
    await page.getByRole('alert').getByText('there is no incident').waitFor()
    await expect.poll(() => rows().count()).toBe(1)
  })
})
