import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/api.ts'
import { chromiumPath, WAIT_MS } from '../support/browser.ts'
import { BrowserStage, Tab } from '../support/browser-stage.ts'
import { type Program, runAgent, startAgent } from '../support/processes.ts'
import { folderOf } from '../support/samples.ts'

const NODE = 'dock-3'
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

const executable = chromiumPath()

/** The one who deploys agents: from a token to a device that is turned away, without a terminal but for the enrolment. */
describe.skipIf(executable === undefined)('devices in a browser', () => {
  const stage = BrowserStage.forAllTests(executable)
  const tab = Tab.forAllTests(stage)
  let agent: Program
  let page: Page

  beforeAll(async () => {
    page = tab.page
    await tab.open('devices')
  })

  const section = (name: string) => page.getByRole('region', { name, exact: true })
  const dialog = () => page.getByRole('dialog')
  const row = () => page.getByRole('row').filter({ hasText: NODE })
  const start = async () => {
    const photos = await folderOf(join(stage.dir, 'photos'), ['cup-of-espresso', 'fireworks'])
    const camera = { name: 'gate', source: `folder:${photos}`, fps: 5, gate: { maxSilenceSeconds: 1 } }
    // Nobody answers here: the device is degraded by it, and has something in its log.
    const far = { name: 'far', source: 'rtsp://127.0.0.1:1/1' }
    const cameras = [camera, far]
    agent = await startAgent(stage.dir, {
      node: NODE,
      mqttPort: stage.hub.mqttPort,
      cameras,
      onSpawn: stage.own,
    })
  }
  async function close(which: Locator): Promise<void> {
    await which.getByRole('button', { name: 'Close' }).click()
    await which.waitFor({ state: 'detached' })
  }
  /** What a screen reader could not use; the gravest kinds only. */
  async function barriers(): Promise<unknown> {
    await tab.settled()
    // The page's policy lets no script in; what the browser evaluates for a test is none.
    await page.evaluate(await readFile(AXE, 'utf8'))
    return await page.evaluate(`axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) =>
      violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
        .map(({ id, nodes }) => id + ': ' + nodes.map(({ target }) => target).join(' ')))`)
  }

  it('enrols a device: its token is open until it is spent or withdrawn, and the device waits for its first report', async () => {
    await page.getByText('No device is known yet').waitFor()
    for (const [site, node] of [
      ['default', 'dock-4'],
      ['default', NODE],
    ] as const) {
      await page.getByRole('button', { name: 'Enrol a device' }).click()
      await dialog().getByLabel('Site').fill(site)
      await dialog().getByLabel('Device').fill(node)
      await dialog().getByRole('button', { name: 'Make the command' }).click()
      const command = await dialog().locator('.terminal').textContent()
      await dialog().getByRole('button', { name: 'Done' }).click()
      await section('Open enrolments').getByText(`${site}/${node}`).waitFor()
      if (node !== NODE) continue
      const token = /--token (\S+)/.exec(command ?? '')?.[1] ?? ''
      const place = ['--data-dir', join(stage.dir, NODE)]
      expect(await runAgent(['enroll', '--hub', stage.hub.url, '--token', token, ...place]).exit()).toBe(0)
    }
    await page.getByRole('button', { name: 'Withdraw the enrolment of default/dock-4' }).click()
    // Loaded anew before it is done, the page would take it back.
    await section('Open enrolments').getByText('default/dock-4').waitFor({ state: 'detached' })
    await page.reload()
    await tab.settled()
    await row().getByText('Never reported').waitFor()
    await section('Open enrolments').waitFor({ state: 'detached' })
    expect(await barriers()).toEqual([])
  })

  it('shows it as soon as it connects, and finds it', async () => {
    await start()
    await row().getByText('Degraded').waitFor()
    await row()
      .getByText(/^far: CAMERA_FAILED/)
      .waitFor()
    await page.getByLabel('Find', { exact: true }).fill('no such device')
    await row().waitFor({ state: 'detached' })
    await page.getByText('0 devices of 1').waitFor()
    await page.getByLabel('Find', { exact: true }).fill('DOCK mini')
    await page.getByLabel('Health').selectOption({ label: 'Degraded' })
    await page.getByLabel('Order').selectOption({ label: 'Health, worst first' })
    await row().getByRole('link', { name: NODE }).click()
    await section('State').getByRole('link', { name: 'gate' }).waitFor()
    await section('Over time').getByText('Frames a second').waitFor()
    await section('Over time').locator('canvas').first().waitFor()
    await page.getByRole('button', { name: '24 h' }).click()
    await section('Commands').getByText('It was never told to do anything.').waitFor()
    expect(await barriers()).toEqual([])
  })

  it('has it do things, and shows what came of them', async () => {
    const send = async (label: string) => {
      await section('Commands').getByRole('button', { name: 'Send a command' }).click()
      await dialog().getByLabel('Command').selectOption({ label })
      await dialog().getByRole('button', { name: 'Send', exact: true }).click()
    }
    await send('Take a picture')
    const picture = dialog().getByRole('img', { name: /^Taken/ })
    await picture.waitFor()
    const widthOf = ({ naturalWidth }: { naturalWidth: number }) => naturalWidth
    await expect.poll(() => picture.evaluate(widthOf), { timeout: WAIT_MS }).toBeGreaterThan(0)
    await close(dialog())
    await send('Send its log')
    await expect.poll(() => dialog().getByLabel('Answer').inputValue(), { timeout: WAIT_MS }).not.toBe('')
    await close(dialog())
    await send('Examine itself')
    await dialog().getByRole('row').filter({ hasText: 'gate' }).first().waitFor()
    await close(dialog())
    await send('Change its secret')
    await dialog().getByText('Done.').waitFor()
    await close(dialog())
    await expect.poll(() => section('Commands').getByText('Done').count(), { timeout: WAIT_MS }).toBe(4)
    await page.getByRole('button', { name: 'Show the answer to “Take a picture”' }).click()
    await picture.waitFor()
    await close(dialog())
  })

  it('configures it, shows what it refuses, and goes back to what was', async () => {
    const configuration = section('Configuration')
    const save = async (text: string) => {
      await configuration.getByRole('button', { name: 'Edit settings' }).click()
      await dialog().getByRole('textbox').fill(text)
      await dialog().getByRole('button', { name: 'Save and send' }).click()
    }
    await configuration.getByText('Nothing is desired').waitFor()
    await save('{"log":')
    await dialog()
      .getByText(/^Not JSON/)
      .waitFor()
    await dialog().getByRole('button', { name: 'Close' }).click()
    await dialog().getByRole('button', { name: 'Close all the same' }).click()
    await dialog().waitFor({ state: 'detached' })
    await save('{"thumbnails": "none"}')
    await dialog().waitFor({ state: 'detached' })
    await configuration.getByText('The device runs with what is desired.').waitFor()
    await section('State').getByText('v1', { exact: true }).waitFor()

    await save('{"dataDir": "/"}')
    await configuration.getByText('The device refused what is desired').waitFor()
    await configuration.getByText(/CONFIG_INVALID: .*dataDir: unknown key/s).waitFor()
    await section('State').getByText('v1, v2 refused').waitFor()
    await page.getByRole('link', { name: 'Devices' }).last().click()
    await row().getByText('v1, v2 refused').waitFor()
    await row().getByRole('link', { name: NODE }).click()

    await configuration.getByRole('button', { name: 'Edit from here: change 1' }).click()
    await expect.poll(() => dialog().getByRole('textbox').inputValue()).toContain('"thumbnails": "none"')
    await dialog().getByRole('button', { name: 'Save and send' }).click()
    await configuration.getByText('The device runs with what is desired.').waitFor()

    await configuration.getByRole('button', { name: 'Edit those of the site' }).click()
    await dialog().getByRole('textbox').fill('{"log": {"level": "warn"}}')
    await dialog().getByRole('button', { name: 'Save and send' }).click()
    await configuration.getByText('Changes for all of default').waitFor()
    await section('State').getByText('v4', { exact: true }).waitFor()
    expect(await barriers()).toEqual([])
  })

  it('turns it away; all of it is in the audit log', async () => {
    await page.getByRole('button', { name: 'Revoke' }).click()
    await dialog().getByRole('button', { name: 'Revoke' }).click()
    await page.getByRole('heading', { level: 1 }).getByText('Revoked').waitFor()
    await section('Credential').getByText('Revoked').waitFor()
    await eventually('turned away', async () =>
      agent.stderr.includes('CREDENTIAL_REFUSED') ? true : undefined,
    )
    const { entries } = await stage.api.get<{ entries: { action: string }[] }>('/audit?limit=100')
    const times = (action: string) => entries.filter(entry => entry.action === action).length
    expect({
      issued: times('enrolment.issued'),
      withdrawn: times('enrolment.withdrawn'),
      commanded: times('device.commanded'),
      rotated: times('device.rotated'),
      configured: times('device.configured'),
      site: times('site.configured'),
      revoked: times('device.revoked'),
    }).toEqual({ issued: 2, withdrawn: 1, commanded: 4, rotated: 1, configured: 3, site: 1, revoked: 1 })
  })

  it('deletes all that it sent, after it has said how much that is', async () => {
    const { counts } = await stage.api.get<{ counts: { frames: number } }>('/system')
    expect(counts.frames).toBeGreaterThan(0)
    await page.getByRole('button', { name: 'Delete all it sent' }).click()
    const erase = dialog()
    await erase.getByRole('button', { name: 'Count' }).click()
    await erase.getByText('This would be deleted, and cannot be brought back:').waitFor()
    await erase.getByText(new RegExp(`^${counts.frames} frames? with vectors`)).waitFor()
    expect((await stage.api.frames()).length).toBe(counts.frames)
    expect(await barriers()).toEqual([])
    await erase.getByRole('button', { name: 'Delete for good' }).click()
    await erase.getByText('Deleted:').waitFor()
    expect(await stage.api.frames()).toEqual([])
    await erase.getByRole('button', { name: 'Done' }).click()

    await tab.open('system')
    await page.getByRole('button', { name: 'Delete frames' }).click()
    await erase.getByRole('button', { name: 'Count' }).click()
    await erase.getByText(/^Say of which cameras/).waitFor()
    await erase.getByLabel('From').fill('2026-01-01T12:00')
    await erase.getByRole('button', { name: 'Count' }).click()
    await erase.getByText('There is nothing of it.').waitFor()
  })
})
