import type { Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/api.ts'
import { seriousFaults } from '../support/axe.ts'
import { type BoatDevices, boatDevices } from '../support/boat-devices.ts'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage, Tab } from '../support/browser-stage.ts'
import { searchFor } from '../support/dashboard.ts'

/** More than the pages that come by themselves. */
const HARBOUR_FRAMES = 240
const HOME_FRAMES = 40
/** So many cards are enough for three views of this size, and then some. */
const MOST_CARDS = 90

const executable = chromiumPath()

describe.skipIf(executable === undefined)('searching in a browser', () => {
  const stage = BrowserStage.forAllTests(executable)
  const tab = Tab.forEachTest(stage, { viewport: { width: 1280, height: 800 } })
  let devices: BoatDevices
  let page: Page

  beforeAll(async () => {
    devices = await boatDevices(stage.hub, { harbour: HARBOUR_FRAMES, home: HOME_FRAMES })
  })
  afterAll(() => devices?.close())
  beforeEach(() => {
    page = tab.page
  })

  /** What was asked last is answered. */
  const found = async () => {
    await tab.settled()
    await page.locator('.results[aria-busy="false"] .grid > li .score').first().waitFor()
  }
  const cards = () => page.locator('.grid > li').count()
  const inPage = (condition: string) =>
    eventually(condition, async () => ((await page.evaluate<boolean>(condition)) ? true : undefined))

  it('gives a frame a tag, finds it by that, and takes it away', async () => {
    await tab.open('')
    await searchFor(tab, 'a boat')
    await found()
    const filter = page.getByLabel('Tag', { exact: true })
    expect(await filter.count()).toBe(0)
    await page
      .getByRole('button', { name: /^Details: / })
      .first()
      .click()
    const drawer = page.getByRole('dialog')
    await drawer.getByLabel('New tag').fill(' case 12 ')
    await drawer.getByLabel('New tag').press('Enter')
    await drawer.getByRole('link', { name: 'case 12' }).waitFor()
    expect(await drawer.getByLabel('New tag').inputValue()).toBe('')
    await drawer.getByRole('button', { name: 'Close' }).click()
    await filter.selectOption('case 12')
    await page.getByText(/^1 shown/).waitFor()

    // What the page knew of the frame before is out of date, and what the drawer says is not.
    await page.getByRole('button', { name: /^Details: / }).click()
    await drawer.getByRole('button', { name: 'Take the tag case 12 away' }).click()
    await drawer.getByRole('link', { name: 'case 12' }).waitFor({ state: 'detached' })
    expect(await stage.api.get('/tags')).toEqual({ tags: [] })
    await drawer.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'Drop the filter: tag case 12' }).click()
    await page.getByText(/^24 shown/).waitFor()
  })

  it('says how many matches each filter has, narrows by it, and lets it go', async () => {
    await tab.open('')
    await searchFor(tab, 'a boat')
    await found()
    const site = page.getByLabel('Site', { exact: true })
    const options = await site.locator('option').allTextContents()
    expect(options).toEqual([
      'All sites',
      expect.stringMatching(/^harbour · \d+$/),
      expect.stringMatching(/^home · \d+$/),
    ])
    await site.selectOption('home')
    await page.waitForURL(/site=home/)
    await found()
    expect(await page.locator('.grid .frame-camera:not(:text-is("door"))').count()).toBe(0)
    // The other site has no match within the filter; one can go there all the same.
    await site.locator('optgroup option').waitFor({ state: 'attached' })
    expect(await site.locator('optgroup option').allTextContents()).toEqual(['harbour'])
    await page.getByLabel('Rule', { exact: true }).selectOption({ label: 'Boat on the water · 14' })
    await page.waitForURL(/rule=boat-on-the-water/)
    await found()
    await page.getByText('14 shown').waitFor()
    const fired = page.getByRole('list', { name: 'Rules that fired' })
    expect(await fired.count()).toBe(14)
    await page.getByRole('button', { name: 'Drop the filter: site home' }).click()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.waitForURL(url => url.hash === '#/search?text=a+boat')
  })

  it('goes on as one scrolls, keeps few cards, and then waits to be asked', async () => {
    await tab.open('search?text=a%20boat')
    await found()
    const more = page.getByRole('button', { name: 'Load more' })
    await eventually('pages that come by themselves', async () => {
      await page.mouse.wheel(0, 3000)
      expect(await cards()).toBeLessThan(MOST_CARDS)
      const shown = await page.locator('.results-head p').textContent()
      return shown?.startsWith('144 shown') ? true : undefined
    })
    await more.scrollIntoViewIfNeeded()
    await more.press('Enter')
    await page.locator('li[aria-posinset="145"] .frame-open:focus').waitFor()
    expect(await cards()).toBeLessThan(MOST_CARDS)
    await page.evaluate('scrollTo(0, 0)')
    await page.locator('li[aria-posinset="1"]').waitFor()
  })

  it('begins another answer at the top, and leads the keyboard from card to card', async () => {
    await tab.open('search?text=a%20boat')
    await found()
    await page.evaluate('scrollTo(0, 600)')
    await page.locator('.frame-similar').first().focus()
    await page.keyboard.press('ArrowRight')
    await page.locator('li[aria-posinset="2"] .frame-similar:focus').waitFor()
    await page.keyboard.press('ArrowDown')
    await page.locator('li[aria-posinset="6"] .frame-similar:focus').waitFor()
    await page.keyboard.press('Enter')
    await page.waitForURL(/like=/)
    // The card that was asked from is no hit: the focus is on what begins.
    await page.getByRole('heading', { name: 'Best matches' }).and(page.locator(':focus')).waitFor()
    await inPage('scrollY === 0')
    await searchFor(tab, '-people')
    await page.waitForURL(/like=.*text=-people|text=-people.*like=/)
    await page.getByText('More like this', { exact: true }).waitFor()
    expect(await page.getByText('Say also what to look for').count()).toBe(0)
    // The frame that is searched by has no picture to be shown in the box.
    tab.pardon(text => text.startsWith('Failed to load resource') && text.includes('404'))
  })

  it('lets no picture that was slow to read take the place of what was asked since', async () => {
    await tab.open('')
    await page.evaluate(`{
      const read = createImageBitmap
      window.createImageBitmap = file => new Promise(done => { window.goOn = () => done(read(file)) })
      const revoke = URL.revokeObjectURL
      URL.revokeObjectURL = url => { window.dropped = true; revoke.call(URL, url) }
    }`)
    const png =
      'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='
    await page
      .locator('input[type="file"]')
      .setInputFiles({ name: 'slow.png', mimeType: 'image/png', buffer: Buffer.from(png, 'base64') })
    await inPage('window.goOn !== undefined')
    await searchFor(tab, 'a boat')
    await found()
    await page.evaluate('goOn()')
    await inPage('window.dropped === true')
    expect(new URL(page.url()).hash).toBe('#/search?text=a+boat')
    expect(await page.locator('.subject').count()).toBe(0)
  })

  it('goes on from a frame within the filters that it was found with', async () => {
    await tab.open('search?text=a%20boat&site=harbour&fired=yes')
    await found()
    await page.locator('.frame-open').first().click()
    const drawer = page.getByRole('dialog')
    const only = await drawer.getByRole('link', { name: 'Only this camera' }).getAttribute('href')
    expect(only).toMatch(/^#\/search\?text=a\+boat&site=harbour&node=quay&camera=(pier|lock)&fired=yes$/)
    const like = await drawer.getByRole('link', { name: 'More like this' }).getAttribute('href')
    expect(like).toMatch(/^#\/search\?like=[^&]+&site=harbour&fired=yes$/)
  })

  it('says in words why a frame is a hit, and that its picture was not kept', async () => {
    await tab.open('search?text=a%20boat%20-people')
    await found()
    await page.locator('.frame-open').first().click()
    const match = page.getByRole('dialog').getByRole('region', { name: 'Match' })
    await match.getByText(/match\./).waitFor()
    await match.getByText(/as likely to be what was asked for as a typical stored frame/).waitFor()
    const parts = match.getByRole('list', { name: 'What each part of the question does' })
    await parts.getByRole('listitem').nth(1).waitFor()
    expect(await parts.getByRole('listitem').allTextContents()).toEqual([
      expect.stringMatching(/^a boatfor it, \d+% of the weight/),
      expect.stringMatching(/^less like people(for|against) it, \d+% of the weight/),
    ])
    await page.getByText('No picture of this frame is stored').waitFor()
    // The way along the camera's time explains each frame.
    await tab.settled()
    const first = page.url()
    await page.keyboard.press('ArrowRight')
    await page.waitForURL(({ href }) => href !== first)
    await tab.settled()
    await match
      .getByText(/stored frame/)
      .first()
      .waitFor()
    expect(await seriousFaults(page)).toEqual([])
  })

  it('keeps what was found when the next page does not come', async () => {
    await tab.open('')
    await page.route('**/api/v1/search?*cursor=*', route => route.abort())
    await searchFor(tab, 'a boat')
    await found()
    await page.mouse.wheel(0, 5000)
    await page.getByRole('alert').getByText('The hub cannot be reached.').waitFor()
    expect(await cards()).toBeGreaterThan(0)
    await page.unroute('**/api/v1/search?*cursor=*')
    await page.getByRole('button', { name: 'Try again' }).click()
    await page.getByText(/^(48|72) shown/).waitFor()
    tab.pardon(text => text.startsWith('Failed to load resource: net::ERR_'))
  })
})
