import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage } from '../support/browser-stage.ts'
import { firstHit, saveRule, searchFor, writeRule } from '../support/dashboard.ts'
import { PASSWORD, signIn, type Visitor, visitor } from '../support/people.ts'
import { runAgent } from '../support/processes.ts'
import { folderOf, samplePhotos } from '../support/samples.ts'
import { randomUnit, seededRandom } from '../support/vectors.ts'

/** What the device of the harbour looks at, one camera each. */
const SUBJECTS = ['lighthouse', 'rowing-boats-at-sunset', 'fireworks', 'tabby-cat-face']
const OTHER_SITE = 'depot-9'
const DIM = 512
/** The browser's own note of an answer that the page knows how to show. */
const NOTED = /^Failed to load resource: the server responded with a status of 4\d\d/

const executable = chromiumPath()

/** Three people in one house, in this order: each finds what the one before has made. */
describe.skipIf(executable === undefined)('the three jobs, from the sign-in on', () => {
  const stage = BrowserStage.forAllTests(executable, { SIGHTLINE_AUTH_REQUIRED: 'always' })
  /** Of an admin, made on the page. */
  let apiKey = ''

  /** One person's job, in a browser of its own that must not complain. */
  async function as(job: (visit: Visitor) => Promise<void>): Promise<void> {
    const visit = await visitor(stage.browser)
    try {
      await job(visit)
      expect(visit.complaints.filter(text => !NOTED.test(text))).toEqual([])
    } finally {
      await visit.context.close()
    }
  }
  const goTo = (page: Page, name: string) =>
    page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name }).click()
  const panel = (page: Page, name: string) => page.getByRole('region', { name, exact: true })

  it('deploy: the first admin enrols a device, sees it report, and lets the others in', async () => {
    await as(async ({ page }) => {
      const [, setupUrl] = await stage.hub.program.line(/make the first admin at (\S+)/)
      await page.goto(setupUrl!)
      await page.getByRole('heading', { name: 'Make the first admin' }).waitFor()
      await page.getByLabel('Name').fill('ada')
      await page.getByLabel('Password').fill('short')
      await page.getByRole('button', { name: 'Make the first admin' }).click()
      await page.getByRole('alert').getByText('12 to 256 characters').waitFor()
      await page.getByLabel('Password').fill(PASSWORD)
      await page.getByRole('button', { name: 'Make the first admin' }).click()

      await goTo(page, 'Devices')
      await page.getByRole('heading', { name: /^No device/ }).waitFor()
      await page.getByRole('button', { name: 'Enrol a device' }).click()
      const enrol = page.getByRole('dialog', { name: 'Enrol a device' })
      await enrol.getByLabel('Site').fill('harbour')
      await enrol.getByLabel('Device').fill('pier-1')
      await enrol.getByRole('button', { name: 'Make the command' }).click()
      const command = await enrol.locator('pre').innerText()
      await enrol.getByRole('button', { name: 'Done' }).click()

      await deploy(command)
      await page.getByText('pier-1', { exact: true }).first().waitFor()
      await page
        .locator('.pill', { hasText: /^(Online|Healthy|Degraded)$/ })
        .first()
        .waitFor()
      await goTo(page, 'Live')
      for (const name of SUBJECTS) await page.getByRole('link', { name, exact: true }).first().waitFor()

      await goTo(page, 'System')
      await panel(page, 'Disk')
        .getByText(/ free\. Below /)
        .waitFor()
      await panel(page, 'Storage').getByText('never').waitFor()
      await addUser(page, 'otto', 'operator')
      await addUser(page, 'vera', 'viewer', 'harbour')
      await panel(page, 'Users').getByText('viewer, sees harbour').waitFor()
      apiKey = await makeKey(page)
      await keepOneAdmin(page)
    })
  })

  it('moderate: an operator writes a rule, publishes it, and reviews what it caught from the keyboard', async () => {
    await as(async visit => {
      const { page } = visit
      await page.goto(`${stage.hub.url}/#/rules`)
      await signIn(page, 'otto')
      await page.getByRole('heading', { name: 'Rules', exact: true }).waitFor()
      await visit.settled()
      await writeRule(page, {
        name: 'Lighthouse in view',
        positives: 'a lighthouse\na lighthouse on the coast',
        negatives: 'a cat\na boat\nfireworks',
      })
      const trial = page.getByRole('region', { name: 'What the rule would have caught' })
      await trial.getByRole('img', { name: /^Frames by score; [1-9]/ }).waitFor()
      await saveRule(page)
      await page.getByText(/in force on 1 of 1 device/).waitFor()

      await goTo(page, 'Live')
      const incidents = page.getByRole('region', { name: 'Incidents' })
      await incidents.getByText('Lighthouse in view').first().waitFor()
      await goTo(page, 'Review')
      await page.getByRole('heading', { name: /^Lighthouse in view/ }).waitFor()
      await visit.settled()
      await page.keyboard.press('c')
      await page.getByText(/^Confirmed: Lighthouse in view on camera/).waitFor()
      await page.keyboard.press('d')
      await page.getByText(/^Dismissed: /).waitFor()
      await page.keyboard.press('u')
      await page.getByText('Taken back.').waitFor()

      // What is an admin's is not offered to an operator.
      await goTo(page, 'System')
      await panel(page, 'Disk').waitFor()
      await visit.settled()
      for (const title of ['Users', 'API keys', 'Quarantine', 'Audit log'])
        expect(await panel(page, title).count()).toBe(0)
    })
  })

  it('search: a viewer of one site finds, narrows, looks closer and saves, and never sees the other site', async () => {
    await bringOtherSite()
    await as(async visit => {
      const { page, answers } = visit
      await page.goto(stage.hub.url)
      await signIn(page, 'vera')
      await visit.settled()
      await searchFor(visit, 'a cat')
      await firstHit(page, 'tabby-cat-face').waitFor()
      const camera = page.getByRole('combobox', { name: 'Camera' })
      const choice = camera.locator('option', { hasText: /^lighthouse/ })
      await camera.selectOption((await choice.getAttribute('value'))!)
      await visit.settled()
      await firstHit(page, 'lighthouse').waitFor()
      await page.getByRole('button', { name: 'Clear filters' }).click()
      await visit.settled()
      await firstHit(page, 'tabby-cat-face').waitFor()
      await page
        .getByRole('button', { name: /^Details: tabby-cat-face/ })
        .first()
        .click()
      const drawer = page.getByRole('dialog', { name: 'tabby-cat-face' })
      await drawer.waitFor()
      await visit.settled()
      expect(await drawer.getByRole('link', { name: 'Make a rule' }).count()).toBe(0)
      await drawer.getByRole('link', { name: 'More like this' }).click()
      await drawer.waitFor({ state: 'detached' })
      await page.waitForURL(/like=/)
      await visit.settled()
      await firstHit(page, 'tabby-cat-face').waitFor()
      await searchFor(visit, 'a cat')
      await firstHit(page, 'tabby-cat-face').waitFor()
      await page.getByRole('button', { name: 'Save search' }).click()
      const save = page.getByRole('dialog', { name: 'Save search' })
      await save.getByLabel('Name').fill('Cats of the harbour')
      await save.getByRole('button', { name: 'Save', exact: true }).click()
      await save.waitFor({ state: 'detached' })
      await page.getByRole('link', { name: 'Sightline, search' }).click()
      await page.getByRole('region', { name: 'Saved searches' }).getByText('Cats of the harbour').waitFor()

      for (const name of ['Live', 'Devices', 'Rules', 'Review', 'System']) {
        await goTo(page, name)
        await page.getByRole('heading', { name, exact: true, level: 1 }).waitFor()
        await visit.settled()
        expect(await page.getByText(OTHER_SITE).count(), name).toBe(0)
      }
      const told = await answers()
      expect(told.length).toBeGreaterThan(10)
      expect(told.filter(text => text.includes(OTHER_SITE))).toEqual([])

      await page.getByRole('button', { name: /^vera .*your account$/ }).click()
      const account = page.getByRole('dialog', { name: 'vera' })
      await account.getByText('harbour').waitFor()
      await account.getByRole('button', { name: 'Sign out', exact: true }).click()
      await page.getByRole('heading', { name: 'Sign in' }).waitFor()
      const ended = page.getByText('Your session has ended.')
      expect(await ended.count()).toBe(0)

      await signIn(page, 'vera')
      await visit.context.clearCookies()
      await goTo(page, 'Rules')
      await ended.waitFor()
      await signIn(page, 'vera')
      await page.getByRole('heading', { name: 'Rules', exact: true, level: 1 }).waitFor()
    })
  })

  /** What the page printed is pasted on the device, and the agent started there. */
  async function deploy(command: string): Promise<void> {
    const [program, ...args] = command.split(' ')
    expect(program).toBe('sightline-agent')
    const cameras = await Promise.all(
      SUBJECTS.map(async subject => ({
        name: subject,
        source: `folder:${await folderOf(join(stage.dir, 'photos', subject), [subject])}`,
        fps: 2,
        gate: { maxSilenceSeconds: 2 },
      })),
    )
    const file = join(stage.dir, 'agent.yaml')
    await writeFile(file, JSON.stringify({ dataDir: join(stage.dir, 'agent'), cameras }))
    const enrolled = stage.own(runAgent([...args, '--config', file]))
    expect(await enrolled.exit(), enrolled.stderr).toBe(0)
    await stage.own(runAgent(['run', '--config', file])).line(/^agent ready/)
  }

  async function addUser(page: Page, name: string, role: string, scope?: string): Promise<void> {
    await page.getByRole('button', { name: 'Add a user' }).click()
    const dialog = page.getByRole('dialog', { name: 'Add a user' })
    await dialog.getByLabel('Name').fill(name)
    await dialog.getByLabel('Password').fill(PASSWORD)
    await dialog.getByLabel('Role').selectOption(role)
    // Known sites are offered.
    if (scope !== undefined) await dialog.getByRole('button', { name: scope, exact: true }).click()
    await dialog.getByRole('button', { name: 'Add', exact: true }).click()
    await dialog.waitFor({ state: 'detached' })
    await panel(page, 'Users').getByRole('heading', { name }).waitFor()
  }

  async function makeKey(page: Page): Promise<string> {
    await page.getByRole('button', { name: 'Make a key' }).click()
    const dialog = page.getByRole('dialog', { name: 'Make an API key' })
    await dialog.getByLabel('Name').fill('import')
    await dialog.getByLabel('Role').selectOption('operator')
    await dialog.getByRole('button', { name: 'Make the key' }).click()
    const key = await dialog.locator('pre').innerText()
    expect(key).toMatch(/^slk_/)
    await dialog.getByRole('button', { name: 'Done' }).click()
    await panel(page, 'API keys').getByText('never used').waitFor()
    expect(await page.content()).not.toContain(key)
    return key
  }

  /** The only admin cannot step down. */
  async function keepOneAdmin(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Change ada' }).click()
    const dialog = page.getByRole('dialog', { name: 'User ada' })
    await dialog.getByLabel('Role').selectOption('viewer')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await dialog.getByRole('alert').getByText('ada is the only admin').waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    expect(await page.getByRole('button', { name: 'Remove ada' }).count()).toBe(0)
  }

  /** A cat at another site, and frames enough for a search to be saved. */
  async function bringOtherSite(): Promise<void> {
    const cat = (await samplePhotos()).find(({ subject }) => subject === 'tabby-cat-face')!
    const random = seededRandom(5)
    const items = [
      { image: (await readFile(cat.path)).toString('base64') },
      ...Array.from({ length: 80 }, () => ({ vector: [...randomUnit(DIM, random)] })),
    ]
    const response = await fetch(`${stage.hub.url}/api/v1/index?site=${OTHER_SITE}&camera=desk`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(items),
    })
    expect(response.status, await response.text()).toBe(200)
  }
})
