import type { Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/api.ts'
import { seriousFaults } from '../support/axe.ts'
import { type BoatDevices, boatDevices } from '../support/boat-devices.ts'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage, Tab } from '../support/browser-stage.ts'
import { feedCameras } from '../support/camera-feed.ts'

const executable = chromiumPath()

describe.skipIf(executable === undefined)('watching in a browser', () => {
  const stage = BrowserStage.forAllTests(executable)
  const tab = Tab.forEachTest(stage, { viewport: { width: 1280, height: 800 } })
  let devices: BoatDevices
  let page: Page

  beforeAll(async () => {
    devices = await boatDevices(stage.hub, { harbour: 4, home: 2 })
  })
  afterAll(() => devices?.close())
  beforeEach(() => {
    page = tab.page
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
    await devices.harbour.state(cameras)
    await devices.harbour.stats(cameras)
    await tab.open('live')
    const pier = page.getByRole('article').filter({ has: page.getByRole('link', { name: 'pier' }) })
    await pier.getByText('2/s').waitFor()
    await pier.getByText('41 ms').waitFor()
    const lock = page.getByRole('article').filter({ has: page.getByRole('link', { name: 'lock' }) })
    await lock.getByText(/^No picture for \d+ (s|min)/).waitFor()
    await lock.getByText('CAMERA_FAILED: no answer').waitFor()
    await page.getByRole('button', { name: 'In trouble 1' }).click()
    await pier.waitFor({ state: 'detached' })
    expect(await seriousFaults(page)).toEqual([])
  })

  it('tells what a saved search finds, as it finds it', async () => {
    await tab.open('live')
    await page
      .getByRole('status')
      .filter({ hasText: /^Live$/ })
      .waitFor()
    await page.getByText(/cameras, newest frame of each/).waitFor()
    await stage.api.post('/searches', { name: 'Boats <b>now</b>', text: 'a boat', threshold: 0.9 })
    for (let i = 0; i < 2; i++) await devices.home.frames([{ camera: 'door', vector: devices.boat }])
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
