import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { HubApi } from '../support/api.ts'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage, Tab } from '../support/browser-stage.ts'
import { downloadOf, inForce, saveRule, transferOf, trialOf, writeRule } from '../support/dashboard.ts'
import { visitor } from '../support/people.ts'
import { samplePhoto } from '../support/samples.ts'

const SUBJECTS = ['cup-of-espresso', 'fireworks', 'lighthouse', 'tabby-cat-face']
const NODE = 'yard-agent'

interface RuleView {
  readonly id: string
  readonly on: number
  readonly positiveExamples: readonly string[]
  readonly negativeExamples: readonly string[]
}
interface RulesView {
  readonly version: number
  readonly rules: readonly RuleView[]
}

const executable = chromiumPath()

describe.skipIf(executable === undefined)('rules in a browser', () => {
  const stage = BrowserStage.forAllTests(executable)
  const tab = Tab.forEachTest(stage)
  let api: HubApi
  let page: Page

  beforeAll(async () => {
    api = stage.api
    await stage.watchPhotos(NODE, SUBJECTS)
  })
  beforeEach(() => {
    page = tab.page
    // A backtest that was given up a moment ago may keep the hub busy; the page asks again.
    tab.pardon(text => text.includes('503'))
  })

  const rules = () => api.get<RulesView>('/rules')
  const ruleOf = async (id: string) => (await rules()).rules.find(rule => rule.id === id)
  const cardOf = (name: string) =>
    page.getByRole('article').filter({ has: page.getByRole('heading', { name, exact: true }) })

  it('shows a rule pictures: stored ones, uploaded and dropped ones', async () => {
    await tab.open('rules')
    await writeRule(page, { name: 'Coffee', positives: 'a cup of coffee' })
    const pictures = page.getByRole('region', { name: 'Example pictures' })
    const like = pictures.getByRole('group', { name: 'Pictures like' })
    const unlike = pictures.getByRole('group', { name: 'Pictures unlike' })
    await like.locator('input[type=file]').setInputFiles((await samplePhoto('cup-of-espresso')).path)
    await like.getByRole('img', { name: /^uploaded picture ex:/ }).waitFor()

    const jpeg = await readFile((await samplePhoto('tabby-cat-face')).path)
    const dataTransfer = await transferOf(page, 'cat.jpg', jpeg)
    await unlike.dispatchEvent('dragover', { dataTransfer })
    await unlike.dispatchEvent('drop', { dataTransfer })
    await unlike.getByRole('img', { name: /^uploaded picture ex:/ }).waitFor()

    // What a search finds, and what the backtest shows.
    await pictures.getByRole('button', { name: 'From stored pictures' }).click()
    await pictures.getByLabel('Find stored pictures').fill('fireworks')
    await pictures.getByLabel('Find stored pictures').press('Enter')
    await tab.settled()
    const tried = trialOf(page, { like: 1, unlike: 2 })
    await pictures
      .getByRole('button', { name: /^Use as counter-example: fireworks/ })
      .first()
      .click()
    await unlike.getByRole('img', { name: /^stored picture / }).waitFor()
    // Tried with all three, what it would have caught stands still.
    await tried
    await tab.settled()
    const trial = page.getByRole('region', { name: 'What the rule would have caught' })
    const first = trial.getByRole('button', { name: /^Use as example: cup-of-espresso/ }).first()
    await first.click()
    await like.getByRole('img', { name: /^stored picture / }).waitFor()
    await saveRule(page)
    const saved = await ruleOf('coffee')
    expect(saved?.positiveExamples).toHaveLength(2)
    expect(saved?.negativeExamples).toHaveLength(2)

    // They are shown again, change sides and go.
    await page.getByRole('button', { name: 'Edit Coffee', exact: true }).click()
    await like.getByRole('img').nth(1).waitFor()
    await tab.settled()
    await unlike
      .getByRole('button', { name: /^Move to “Pictures like”: stored/ })
      .first()
      .click()
    await like.getByRole('img').nth(2).waitFor()
    await like
      .getByRole('button', { name: /^Remove: uploaded/ })
      .first()
      .click()
    await saveRule(page)
    const changed = await ruleOf('coffee')
    expect(changed?.positiveExamples.every(id => !id.startsWith('ex:'))).toBe(true)
    expect(changed?.positiveExamples).toHaveLength(2)
    expect(changed?.negativeExamples).toEqual([expect.stringMatching(/^ex:[0-9a-f]{32}$/)])
  })

  it('gives a picture that was found to a rule that is there', async () => {
    const frame = (await api.frames()).find(({ camera }) => camera === 'lighthouse')!
    await tab.open(`rules?example=${encodeURIComponent(frame.id)}&text=a%20lighthouse`)
    const fresh = page.getByRole('dialog', { name: 'New rule' })
    await fresh.getByRole('img', { name: /^stored picture / }).waitFor()
    await fresh.getByLabel('Or give the picture to a rule').selectOption({ label: 'Coffee' })
    const editor = page.getByRole('dialog', { name: 'Edit rule' })
    await editor.waitFor()
    await tab.settled()
    await editor
      .getByRole('button', { name: `Move to “Pictures unlike”: stored picture ${frame.id}` })
      .click()
    await saveRule(page)
    expect((await ruleOf('coffee'))?.negativeExamples).toContain(frame.id)
  })

  it('says why a file is no picture, and keeps the rule', async () => {
    await tab.open('rules')
    // By then the page has all that it loads.
    await cardOf('Coffee')
      .getByText(/^Reaches \d+ cameras? on 1 device/)
      .waitFor()
    await page.getByRole('button', { name: 'Edit Coffee', exact: true }).click()
    const pictures = page.getByRole('region', { name: 'Example pictures' })
    await pictures
      .locator('input[type=file]')
      .first()
      .setInputFiles({ name: 'notes.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') })
    await pictures.getByRole('alert').getByText('notes.jpg could not be read as a picture.').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
  })

  it('warns of a camera that nobody has, and says how far a rule goes', async () => {
    await tab.open('rules')
    await writeRule(page, { name: 'Gate', positives: 'a gate' })
    const editor = page.getByRole('dialog', { name: 'New rule' })
    await editor.getByText('Reaches 4 cameras on 1 device.').waitFor()
    await editor.getByText('Advanced').click()
    await editor.getByLabel('Cameras').fill('gate-*\ntabby-*')
    await editor.getByText('No camera is called "gate-*" so far').waitFor()
    await editor.getByText('Reaches 1 camera on 1 device.').waitFor()
    await editor.getByLabel('Sites').fill('north')
    await editor.getByText('No device is at a site called "north" so far; there are default.').waitFor()
    await editor.getByText('Reaches no camera so far.').waitFor()
    await saveRule(page)
    await cardOf('Gate').getByText('Reaches no camera so far').waitFor()
    await cardOf('Gate').getByText('No device is at a site called "north"').waitFor()
  })

  it('publishes, and shows who applied it', async () => {
    const { version } = await rules()
    await tab.open('rules')
    await page.getByRole('switch', { name: 'Gate: enabled' }).click()
    await page.getByText('Who applied it').click()
    const table = page.getByRole('region', { name: 'Rules by device' })
    const row = table.getByRole('row').filter({ hasText: NODE })
    await inForce(page, version + 1)
    await row.getByText('Applied').waitFor()
    expect(await row.getByRole('cell').nth(1).textContent()).toBe(String(version + 1))
  })

  it('exports one rule and all, and imports what was changed after it has shown it', async () => {
    const { version } = await rules()
    await tab.open('rules')
    const all = await downloadOf(page, page.getByRole('link', { name: 'Export', exact: true }))
    expect(all).toContain(`version: ${version}`)
    const one = await downloadOf(page, page.getByRole('link', { name: 'Export Coffee as YAML' }))
    expect(one).toMatch(/^rules:\n {2}- id: coffee\n/)

    await page.getByRole('button', { name: 'Import' }).click()
    const dialog = page.getByRole('dialog', { name: 'Import rules' })
    const apply = dialog.getByRole('button', { name: 'Apply and publish' })
    await dialog.locator('input[type=file]').setInputFiles({
      name: 'coffee.yaml',
      mimeType: 'application/yaml',
      buffer: Buffer.from(one.replace('off: 0.3', 'off: 0.35')),
    })
    const summary = dialog.getByRole('region', { name: 'What the import changes' })
    await summary.getByText('1 changed').waitFor()
    await summary.locator('del', { hasText: '0.3' }).waitFor()
    await summary.locator('ins', { hasText: '0.35' }).waitFor()
    // Without the others the same file is another import altogether.
    await summary.getByLabel('are removed').check()
    await summary.getByText(/^[1-9]\d* removed/).waitFor()
    await summary.getByLabel('stay').check()
    await summary.getByText('0 removed').waitFor()

    // Meanwhile somebody else saves.
    const { rules: list } = await rules()
    await fetch(`${stage.hub.url}/api/v1/rules`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ rules: list, version }),
    })
    await apply.click()
    await dialog.getByText('Somebody else changed the rules').waitFor()
    tab.pardon(text => text.includes('409'))
    await dialog.getByText(`against version ${version + 1}`).waitFor()
    await apply.click()
    await dialog.waitFor({ state: 'detached' })
    await inForce(page, version + 2)
    expect((await rules()).rules).toHaveLength(list.length)
  })

  it('refuses an import at the line where it is wrong', async () => {
    await tab.open('rules')
    await page.getByRole('button', { name: 'Import' }).click()
    const dialog = page.getByRole('dialog', { name: 'Import rules' })
    const text = dialog.getByRole('textbox')
    await text.fill('rules:\n  - id: fish\n    name: Fish\n    positives: [a fish]\n    off: 2\n')
    const alert = dialog.getByRole('alert')
    await alert.getByText('rules.0.off').waitFor()
    await alert.getByText('RULES_INVALID').waitFor()
    await alert.getByRole('button', { name: 'Line 5' }).click()
    const selected = await page.evaluate<string>(
      '(box => box.value.slice(box.selectionStart, box.selectionEnd))(document.activeElement)',
    )
    expect(selected).toBe('    off: 2')
    expect(await dialog.getByRole('button', { name: 'Apply and publish' }).isDisabled()).toBe(true)
    await text.fill('rules: [\n')
    await alert.getByRole('button', { name: /^Go to line / }).waitFor()
    tab.pardon(message => message.includes('422'))
    await dialog.getByRole('button', { name: 'Cancel' }).click()
  })

  it('adds a pack, compares an earlier version and restores it', async () => {
    const { version, rules: before } = await rules()
    await tab.open('rules')
    await page.getByRole('button', { name: 'Starter packs' }).click()
    const packs = page.getByRole('dialog', { name: 'Starter packs' })
    await packs.getByRole('button', { name: /^Add / }).first().click()
    await packs.getByRole('status').getByText(/added/i).waitFor()
    await packs.getByRole('button', { name: 'Close' }).click()
    await page.getByText(new RegExp(`^Version ${version + 1},`)).waitFor()
    await page.getByRole('button', { name: 'History' }).click()
    const history = page.getByRole('dialog', { name: 'History of the rules' })
    await history.getByRole('button', { name: `Compare version ${version}`, exact: true }).click()
    const detail = history.getByRole('region', { name: `If version ${version} is restored` })
    await detail.getByText(/^[1-9]\d* removed/).waitFor()
    await detail.getByRole('button', { name: `Restore version ${version}` }).click()
    await history.waitFor({ state: 'detached' })
    await inForce(page, version + 2)
    expect((await rules()).rules).toEqual(before)
  })

  it('passes the accessibility rules with everything open', async () => {
    // The page's policy lets no foreign script in; the test steps around the page, not around the policy.
    const bare = await visitor(stage.browser, { bypassCSP: true })
    const { page: checked } = bare
    const violations = async () => {
      await bare.settled()
      await checked.addScriptTag({ path: createRequire(import.meta.url).resolve('axe-core/axe.min.js') })
      return await checked.evaluate<string[]>(
        `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))`,
      )
    }
    await checked.goto(`${stage.hub.url}/#/rules`)
    await bare.settled()
    await checked.getByText('Who applied it').click()
    await checked.getByRole('region', { name: 'Rules by device' }).waitFor()
    expect(await violations()).toEqual([])
    await checked.getByRole('button', { name: 'Edit Coffee', exact: true }).click()
    await checked.getByRole('button', { name: 'From stored pictures' }).click()
    await checked.locator('.frame-picker img').first().waitFor()
    expect(await violations()).toEqual([])
    await checked.getByRole('button', { name: 'Cancel' }).click()
    await checked.getByRole('button', { name: 'Import' }).click()
    await checked.getByRole('textbox').fill('- { id: owl, name: Owl, positives: [an owl], cameras: [nest] }')
    await checked.getByText('1 added').waitFor()
    expect(await violations()).toEqual([])
    await bare.context.close()
  })

  it('offers a viewer what a viewer may do', async () => {
    const caller = { kind: 'user', name: 'vera', role: 'viewer', scope: null }
    const session = { signInRequired: true, setupOpen: false, caller }
    await page.route('**/api/v1/session', route => route.fulfill({ json: session }))
    await tab.open('rules')
    await page.getByRole('link', { name: 'Export', exact: true }).waitFor()
    await cardOf('Coffee').waitFor()
    const buttons = (await page.getByRole('main').getByRole('button').allTextContents()).join()
    expect(buttons).not.toMatch(/New rule|Import|Edit|Delete/)
  })
})
