import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage, Tab } from '../support/browser-stage.ts'
import {
  firstHit,
  focusIsIn,
  inForce,
  saveRule,
  searchFor,
  transferOf,
  writeRule,
} from '../support/dashboard.ts'
import type { Program } from '../support/processes.ts'
import { samplePhoto } from '../support/samples.ts'

/** One camera per photo: the camera's name then says which photo a hit is. */
const SUBJECTS = [
  'cup-of-espresso',
  'fireworks',
  'lighthouse',
  'tabby-cat-face',
  'rowing-boats-at-sunset',
  'forest-road',
  'bicycle-against-wall',
  'teddy-bear-on-bed',
]
const NODE = 'yard-agent'
const HOSTILE = '<img src=x onerror="document.title=\'taken over\'">'

const executable = chromiumPath()

describe.skipIf(executable === undefined)('the dashboard in a browser', () => {
  const stage = BrowserStage.forAllTests(executable)
  const tab = Tab.forEachTest(stage)
  let agent: Program
  let page: Page

  beforeAll(async () => {
    agent = await stage.watchPhotos(NODE, SUBJECTS)
  })
  beforeEach(() => {
    page = tab.page
  })

  async function rulesVersion(): Promise<number> {
    return (await stage.api.get<{ version: number }>('/rules')).version
  }

  it('finds photos by words, from the keyboard alone', async () => {
    await tab.open('')
    await page.getByRole('article').first().waitFor()
    await page.keyboard.press('/')
    await page.keyboard.type('a cup of coffee')
    await page.keyboard.press('Enter')
    await firstHit(page, 'cup-of-espresso').waitFor()
    for (const [text, camera] of [
      ['fireworks in the night sky', 'fireworks'],
      ['a road through the forest', 'forest-road'],
      ['a cat', 'tabby-cat-face'],
      ['a bicycle', 'bicycle-against-wall'],
    ] as const) {
      await searchFor(tab, text)
      await firstHit(page, camera).waitFor()
    }
    // The address is the search.
    await page.goBack()
    await tab.settled()
    await firstHit(page, 'tabby-cat-face').waitFor()
  })

  it('opens a frame, gives the focus back, and finds more like it', async () => {
    await tab.open('search?text=a%20lighthouse')
    await firstHit(page, 'lighthouse').waitFor()
    await page
      .getByRole('button', { name: /^Details: lighthouse/ })
      .first()
      .press('Enter')
    const drawer = page.getByRole('dialog', { name: 'lighthouse' })
    await drawer.getByRole('img', { name: 'Frame of camera lighthouse' }).waitFor()
    expect(await focusIsIn(page, 'dialog')).toBe(true)
    await page.keyboard.press('Escape')
    await drawer.waitFor({ state: 'detached' })
    expect(await focusIsIn(page, '.frame')).toBe(true)

    await page.keyboard.press('Enter')
    await drawer.getByRole('link', { name: 'More like this' }).click()
    await drawer.waitFor({ state: 'detached' })
    await page.waitForURL(/like=/)
    await tab.settled()
    await page.locator('.search-box').getByText('More like this', { exact: true }).waitFor()
    await firstHit(page, 'lighthouse').waitFor()
  })

  it('finds the same photo by a picture that is chosen, and by one that is dropped', async () => {
    await tab.open('')
    await page.locator('input[type=file]').setInputFiles((await samplePhoto('teddy-bear-on-bed')).path)
    await firstHit(page, 'teddy-bear-on-bed').waitFor()

    const jpeg = await readFile((await samplePhoto('fireworks')).path)
    const dataTransfer = await transferOf(page, 'dropped.jpg', jpeg)
    await page.dispatchEvent('main', 'dragover', { dataTransfer })
    await page.getByText('Drop the picture to search by it').waitFor()
    await page.dispatchEvent('main', 'drop', { dataTransfer })
    await firstHit(page, 'fireworks').waitFor()
    await page.getByRole('button', { name: 'Remove dropped.jpg' }).click()
    await page.getByRole('heading', { name: 'Newest frames' }).waitFor()
  })

  it('says why a file cannot be searched by', async () => {
    await tab.open('')
    await page.locator('input[type=file]').setInputFiles({
      name: 'notes.jpg',
      mimeType: 'image/jpeg',
      buffer: Buffer.from('no picture'),
    })
    await page.getByRole('alert').getByText('notes.jpg could not be read as a picture.').waitFor()
  })

  it('shows live frames with their verdicts, and the incident that goes on', async () => {
    await tab.open('live')
    await page.getByText(`${SUBJECTS.length} cameras, newest frame of each`).waitFor()
    const tile = page.getByRole('article').filter({ has: page.getByRole('link', { name: 'tabby-cat-face' }) })
    await tile.getByRole('list', { name: 'Rules that fired' }).getByText('Cat in view').waitFor()
    await tile.getByRole('list', { name: 'Verdicts' }).getByText('Cat in view').waitFor()
    const incident = page
      .getByRole('region', { name: 'Incidents' })
      .getByRole('link', { name: /Cat in view.*ongoing/ })
      .first()
    await incident.getByText(/^ongoing/).waitFor()
    await incident.click()
    const drawer = page.getByRole('dialog', { name: 'tabby-cat-face' })
    await drawer
      .getByRole('listitem')
      .filter({ hasText: /Cat in view.*ongoing/ })
      .waitFor()
  })

  it('shows the device, its cameras and its rules', async () => {
    await tab.open('devices')
    const device = page.getByRole('row').filter({ hasText: NODE })
    await device.getByText(/^(Healthy|Degraded)$/).waitFor()
    await device.getByText(`v${await rulesVersion()}`, { exact: true }).waitFor()
    await device.getByRole('link', { name: NODE }).click()
    const state = page.getByRole('region', { name: 'State' })
    for (const camera of SUBJECTS) await state.getByRole('link', { name: camera }).waitFor()
    await page.getByRole('button', { name: 'About this system' }).click()
    const about = page.getByRole('dialog')
    await about.getByText('What this model gets wrong').waitFor()
    await about.getByRole('button', { name: 'Close' }).click()
    await about.waitFor({ state: 'detached' })
  })

  it('makes the command that enrols a device, and refuses settings that are not JSON', async () => {
    await tab.open('devices')
    await page.getByRole('button', { name: 'Enrol a device' }).click()
    const enrol = page.getByRole('dialog', { name: 'Enrol a device' })
    await enrol.getByLabel('Site').fill('yard')
    await enrol.getByLabel('Device').fill('dock-9')
    await enrol.getByRole('button', { name: 'Make the command' }).click()
    await enrol.getByText(/sightline-agent enroll --hub .* --token slt1\./).waitFor()
    await enrol.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('link', { name: NODE }).click()
    await page.getByText('Nothing is desired').waitFor()
    await page.getByRole('button', { name: 'Edit settings' }).click()
    const config = page.getByRole('dialog', { name: /^Configuration of/ })
    await config.getByRole('textbox').fill('{"log":')
    await config.getByRole('button', { name: 'Save and send' }).click()
    await config.getByText(/^Not JSON/).waitFor()
    await config.getByRole('button', { name: 'Close', exact: true }).click()
    await config.getByRole('button', { name: 'Close all the same' }).click()
  })

  it('shows starter packs and the history of the rules', async () => {
    await tab.open('rules')
    await page.getByRole('button', { name: 'Starter packs' }).click()
    const packs = page.getByRole('dialog', { name: 'Starter packs' })
    await packs.getByRole('button', { name: /^Add / }).first().waitFor()
    await packs.getByRole('button', { name: 'Close' }).click()
    await page.getByRole('button', { name: 'History' }).click()
    const history = page.getByRole('dialog', { name: 'History of the rules' })
    await history.getByText('In force').waitFor()
    await history.getByRole('button', { name: 'Close' }).click()
  })

  it('disables a rule and writes a new one; the device applies both', async () => {
    const version = await rulesVersion()
    await tab.open('rules')
    await inForce(page, version)
    const cat = page.getByRole('switch', { name: 'Cat in view: enabled' })
    await cat.click()
    await inForce(page, version + 1)
    expect(await cat.getAttribute('aria-checked')).toBe('false')
    await writeRule(page, {
      name: 'Lighthouse in view',
      positives: 'a lighthouse\na lighthouse on the coast',
      negatives: 'a forest\na cat',
    })
    await saveRule(page)
    await inForce(page, version + 2)
    await page.getByRole('link', { name: 'Devices' }).click()
    await page
      .getByRole('row')
      .getByText(`v${version + 2}`, { exact: true })
      .waitFor()
    await page.getByRole('link', { name: /^Live/ }).click()
    const incidents = page.getByRole('region', { name: 'Incidents' })
    await incidents
      .getByRole('link', { name: /Lighthouse in view/ })
      .first()
      .waitFor()
  })

  it('shows what a rule would have caught while it is written', async () => {
    await tab.open('rules')
    await writeRule(page, { name: 'Coffee', positives: 'a cup of coffee', negatives: 'a cat' })
    const trial = page.getByRole('region', { name: 'What the rule would have caught' })
    await trial.getByRole('img', { name: /^Frames by score; [1-9]/ }).waitFor()
    await trial.locator('.examples img').first().waitFor()
    // Nobody has seen one of these.
    await page.getByLabel('Look for').fill('a screenshot of a spreadsheet')
    await page.getByLabel('Fires at').fill('0.99')
    await trial.getByRole('img', { name: /^Frames by score; 0 of/ }).waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  it('warns of a concept that the model cannot do, and deletes the rule when asked twice', async () => {
    await tab.open('rules')
    await writeRule(page, { name: 'Armed', positives: 'two men with knives' })
    const editor = page.getByRole('dialog')
    await editor.getByText('This model is known to get wrong: knife.').waitFor()
    await saveRule(page)
    const card = page.getByRole('article').filter({ has: page.getByRole('heading', { name: 'Armed' }) })
    await card.getByText('does not recognise "knife" reliably').waitFor()
    await card.getByRole('button', { name: 'Delete Armed' }).press('Enter')
    await card.getByText('Delete this rule on every device?').waitFor()
    // The focus stays at the question, and where it was asked.
    await card.locator('button:focus:text-is("Keep")').press('Enter')
    await card.locator('button[aria-label="Delete Armed"]:focus').press('Enter')
    await card.getByRole('button', { name: 'Delete', exact: true }).click()
    await card.waitFor({ state: 'detached' })
  })

  it('refuses a rule without prompts, beside the field', async () => {
    const version = await rulesVersion()
    await tab.open('rules')
    await writeRule(page, { name: 'Nothing', positives: '' })
    await page.getByRole('button', { name: 'Save and publish' }).click()
    const field = page.getByLabel('Look for')
    await page.getByText('Give at least one, each on its own line.').waitFor()
    expect(await field.getAttribute('aria-invalid')).toBe('true')
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await rulesVersion()).toBe(version)
  })

  it('shows a hostile name as the text that it is', async () => {
    await tab.open('rules')
    await writeRule(page, { name: HOSTILE, positives: 'fireworks\nfireworks in the night sky' })
    await saveRule(page)
    await page.getByRole('heading', { name: HOSTILE, exact: true }).waitFor()
    await tab.open('live')
    await page
      .getByRole('region', { name: 'Incidents' })
      .getByText(HOSTILE, { exact: true })
      .first()
      .waitFor()
    await page.getByRole('list', { name: 'Rules that fired' }).getByText(HOSTILE, { exact: true }).waitFor()
    expect(await page.locator('img[src="x"]').count()).toBe(0)
    expect(await page.title()).toBe('Live · Sightline')
  })

  it('says that the hub is away, and goes on when it is back', async () => {
    await tab.open('live')
    const state = page.getByRole('status').filter({ hasText: /^Live$/ })
    await state.waitFor()
    await stage.hub.program.stop()
    const banner = page.getByText('The connection to the hub is lost.')
    await banner.waitFor()
    await page.getByRole('link', { name: 'Search' }).first().click()
    await searchFor(tab, 'a cat')
    await page.getByRole('heading', { name: 'The hub cannot be reached.' }).waitFor()
    await stage.restartHub()
    await banner.waitFor({ state: 'detached' })
    await state.waitFor()
    // What failed while the hub was away is asked again by itself.
    await firstHit(page, 'tabby-cat-face').waitFor()
    await page.getByRole('link', { name: 'Devices' }).click()
    await page
      .getByRole('row')
      .getByText(/^(Healthy|Degraded)$/)
      .waitFor()
    expect(agent.running).toBe(true)
    // The browser itself notes each failed request.
    tab.pardon(text => text.startsWith('Failed to load resource: net::ERR_'))
  })
})
