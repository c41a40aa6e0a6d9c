import type { Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { HubApi } from '../support/api.ts'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage, Tab } from '../support/browser-stage.ts'
import { focusIsIn } from '../support/dashboard.ts'
import { furnish } from '../support/furnished-hub.ts'

const WRITTEN = 'the neighbour, as every morning'
const TOP_OF_PICTURE = `document.querySelector('.review-picture').getBoundingClientRect().top`
const TOO_WIDE = 'document.documentElement.scrollWidth > innerWidth'

interface Reviewed {
  readonly events: readonly { readonly review: { verdict: string; note: string | null } | null }[]
}

const executable = chromiumPath()

describe.skipIf(executable === undefined)('reviews in a browser', () => {
  const stage = BrowserStage.forAllTests(executable)
  let api: HubApi
  let page: Page

  beforeAll(async () => {
    api = stage.api
    await furnish(stage.hub, 'A boat that nobody knows')
  })

  const list = () => page.getByRole('list', { name: 'Incidents to review' })
  const rows = () => list().getByRole('button')
  const current = (n: number) => list().locator(`li:nth-child(${n}) [aria-current=true]`).waitFor()

  describe('of each incident', () => {
    const tab = Tab.forEachTest(stage)

    beforeEach(() => {
      page = tab.page
    })
    const open = async () => {
      await tab.open('review')
      await rows().nth(1).waitFor()
      // A key is for what the page has by then: the choice of another rule comes with the rules.
      await tab.settled()
    }

    it('are given from the keyboard, taken back, and show what came of them', async () => {
      await open()
      const trust = page.getByRole('region', { name: 'This rule so far' })
      await trust.getByText('No incident of this rule has been reviewed before.').waitFor()
      await page.keyboard.press('j')
      await current(2)
      await page.keyboard.press('k')
      await current(1)
      await page.keyboard.press('c')
      await rows().first().getByText('confirm', { exact: true }).waitFor()
      await page.keyboard.press('u')
      await rows().first().getByText('confirm', { exact: true }).waitFor({ state: 'detached' })

      // With the mouse the focus stays where it was.
      await page.getByRole('button', { name: 'Dismiss' }).click()
      await rows().first().getByText('dismiss', { exact: true }).waitFor()
      expect(await focusIsIn(page, '.review-detail')).toBe(true)
      await rows().first().click()
      await trust.getByText(/^0 of 1 reviewed incident confirmed: precision 0/).waitFor()

      // The key goes to the choice of another rule, and the keys work again after it.
      await page.keyboard.press('r')
      await page.getByLabel('It shows what another rule looks for').selectOption({ index: 1 })
      await rows().first().getByText('relabel', { exact: true }).waitFor()
      expect(await focusIsIn(page, '.review-detail')).toBe(true)
      await page.keyboard.press('u')
      await rows().first().getByText('relabel', { exact: true }).waitFor({ state: 'detached' })
      expect(await api.get('/review/records')).toEqual({ records: [] })
    })

    it('are given on a phone, without a picture', async () => {
      await page.setViewportSize({ width: 390, height: 844 })
      await page.route('**/frames/*/thumbnail', route => route.abort())
      await open()
      await page.getByText('No picture is kept of this camera').waitFor()
      // The list below must not pull the page away from the picture.
      expect(await page.evaluate<number>('scrollY')).toBe(0)
      expect(await page.evaluate<boolean>(TOO_WIDE)).toBe(false)
      await page.getByRole('button', { name: 'Next', exact: true }).click()
      await page.getByText(/^2 of /).waitFor()
      tab.pardon(text => text.startsWith('Failed to load resource'))
    })

    it('are not for a viewer to give', async () => {
      const caller = { kind: 'user', name: 'vera', role: 'viewer', scope: null }
      const session = { signInRequired: true, setupOpen: false, caller }
      await page.route('**/api/v1/session', route => route.fulfill({ json: session }))
      await open()
      await page.getByText('Operators confirm and dismiss; you may look.').waitFor()
      expect(await page.getByRole('button', { name: 'Confirm' }).isVisible()).toBe(false)
      await page.keyboard.press('c')
      await page.keyboard.press('j')
      await page.getByText(/^2 of /).waitFor()
      await tab.settled()
      expect(await rows().first().getByText('confirm', { exact: true }).count()).toBe(0)
    })
  })

  describe('with a note', () => {
    const tab = Tab.forAllTests(stage)

    beforeAll(async () => {
      page = tab.page
      await tab.open('review')
      await rows().nth(1).waitFor()
    })
    const field = () => page.getByRole('textbox', { name: /^Note/ })
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
      tab.pardon(text => text.startsWith('Failed to load resource'))
    })
  })
})
