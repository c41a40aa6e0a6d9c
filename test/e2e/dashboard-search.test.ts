import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/api.ts'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage, Tab } from '../support/browser-stage.ts'
import { feedCameras } from '../support/camera-feed.ts'
import { searchFor } from '../support/dashboard.ts'
import { ROOT } from '../support/processes.ts'
import { StagedDevice, type StagedFrame } from '../support/staged-device.ts'
import { nearUnit, seededRandom } from '../support/vectors.ts'

/** More than the pages that come by themselves. */
const HARBOUR_FRAMES = 240
const HOME_FRAMES = 40
const RULE = 'boat-on-the-water'
/** So many cards are enough for three views of this size, and then some. */
const MOST_CARDS = 90

const executable = chromiumPath()

interface Encoded {
  readonly fingerprint: string
  readonly dim: number
  readonly texts: readonly (readonly number[])[]
}

describe.skipIf(executable === undefined)('searching and watching in a browser', () => {
  const stage = BrowserStage.forAllTests(executable)
  const tab = Tab.forEachTest(stage, { viewport: { width: 1280, height: 800 } })
  let harbour: StagedDevice
  let home: StagedDevice
  let boat: Float32Array
  let page: Page

  beforeAll(async () => {
    const { url, mqttPort } = stage.hub
    const { texts, fingerprint, dim } = await encode(url, ['a boat'])
    const vectors = { fingerprint, dim }
    boat = Float32Array.from(texts[0]!)
    const broker = `mqtt://127.0.0.1:${mqttPort}`
    harbour = await StagedDevice.connect(broker, { site: 'harbour', node: 'quay' }, vectors)
    home = await StagedDevice.connect(broker, { site: 'home', node: 'porch' }, vectors)
    await harbour.frames(scenes(HARBOUR_FRAMES, ['pier', 'lock']))
    await home.frames(scenes(HOME_FRAMES, ['door']))
    const count = HARBOUR_FRAMES + HOME_FRAMES
    await eventually('all frames indexed', async () => {
      const { index } = await stage.api.get<{ index: { vectors: number } }>('/system')
      return index.vectors === count ? true : undefined
    })
  })
  afterAll(async () => {
    await harbour?.close()
    await home?.close()
  })
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

  /** Every third frame is one on which a rule fired; none has a picture. */
  function scenes(count: number, cameras: readonly string[]): StagedFrame[] {
    const random = seededRandom(count)
    return Array.from({ length: count }, (_, i) => ({
      camera: cameras[i % cameras.length]!,
      vector: nearUnit(boat, 0.4 + i / 60, random),
      capturedAt: Date.now() - (count - 1 - i) * 60_000,
      verdicts: [{ rule: RULE, score: 0.8, similarity: 0.3, fired: i % 3 === 0 }],
    }))
  }

  async function seriousFaults(): Promise<string[]> {
    await tab.settled()
    await page.evaluate(await readFile(join(ROOT, 'node_modules/axe-core/axe.min.js'), 'utf8'))
    return await page.evaluate<string[]>(`axe.run().then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html.slice(0, 200))))`)
  }

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
    expect(await seriousFaults()).toEqual([])
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

  it('says how long a camera of a connected device gives no picture, and how fast the others are', async () => {
    const cameras = [
      {
        ...{ camera: 'pier', status: 'running' as const, lastFrameAt: Date.now() },
        ...{ framesPerSecond: 2, decisionP95Ms: 41.3 },
      },
      {
        ...{ camera: 'lock', status: 'failed' as const, lastFrameAt: Date.now() - 250_000 },
        error: 'CAMERA_FAILED: no answer from rtsp://10.0.0.9',
      },
    ]
    await harbour.state(cameras)
    await harbour.stats(cameras)
    await tab.open('live')
    const pier = page.getByRole('article').filter({ has: page.getByRole('link', { name: 'pier' }) })
    await pier.getByText('2/s').waitFor()
    await pier.getByText('41 ms').waitFor()
    const lock = page.getByRole('article').filter({ has: page.getByRole('link', { name: 'lock' }) })
    await lock.getByText(/^No picture for \d+ (s|min)/).waitFor()
    await lock.getByText('CAMERA_FAILED: no answer').waitFor()
    await page.getByRole('button', { name: 'In trouble 1' }).click()
    await pier.waitFor({ state: 'detached' })
    expect(await seriousFaults()).toEqual([])
  })

  it('tells what a saved search finds, as it finds it', async () => {
    await tab.open('live')
    await page
      .getByRole('status')
      .filter({ hasText: /^Live$/ })
      .waitFor()
    await page.getByText(/cameras, newest frame of each/).waitFor()
    await save(stage.hub.url, { name: 'Boats <b>now</b>', text: 'a boat', threshold: 0.9 })
    for (let i = 0; i < 2; i++) await home.frames([{ camera: 'door', vector: boat }])
    const ticker = page.getByRole('region', { name: 'Incidents' })
    const hit = ticker.getByRole('link', { name: /Boats <b>now<\/b>/ })
    await hit.getByText('2 hits · cosine 1.000').waitFor()
    await ticker.getByRole('button', { name: 'Saved searches 1' }).click()
    await hit.click()
    await page.getByRole('dialog', { name: 'door' }).waitFor()
  })

  it('keeps few of two hundred cameras in the document, and finds each', async () => {
    await feedCameras(page, { cameras: 200, framesPerSecond: 200 })
    await tab.open('live')
    await page.getByText('200 cameras, newest frame of each').waitFor()
    const tiles = page.locator('.wall > li')
    await tiles.first().waitFor()
    await page.evaluate('scrollTo(0, document.body.scrollHeight)')
    await page.locator('.wall > li[aria-posinset="200"][aria-setsize="200"]').waitFor()
    expect(await tiles.count()).toBeLessThan(60)
    await page.evaluate('scrollTo(0, 0)')
    await page.getByRole('searchbox', { name: 'Find a camera' }).fill('camera-137')
    await page.getByRole('link', { name: 'camera-137' }).waitFor()
    expect(await tiles.count()).toBe(1)
    const fed = await page.evaluate<number>('framesFed')
    await eventually('more frames', async () =>
      (await page.evaluate<number>('framesFed')) > fed + 200 ? true : undefined,
    )
    await page.getByText('just now').first().waitFor()
  })
})

async function encode(url: string, texts: readonly string[]): Promise<Encoded> {
  return (await post(`${url}/api/v1/encode`, { texts })) as Encoded
}

async function save(url: string, search: object): Promise<void> {
  await post(`${url}/api/v1/searches`, search)
}

async function post(url: string, body: object): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(response.status).toBeLessThan(300)
  return await response.json()
}
