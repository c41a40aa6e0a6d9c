import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DesiredConfig, fault, ReportedConfig, schemaFaults, settingsHash } from '@sightline/core'
import { ConfigShadow, SavedConfig } from '@sightline/edge-agent/fleet/config-shadow.js'
import { SavedDocument } from '@sightline/edge-agent/saved-document.js'
import { agentSettings } from '@sightline/edge-agent/settings.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'

const own = { ...agentSettings({ uplink: { window: 8 } }), node: 'dock-3' }
const GATE = { name: 'gate', source: 'rtsp://me:canary@h/1' }

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'shadow-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const path = () => join(dir, 'config.json')

/** As after a start of the process. */
async function started(): Promise<ConfigShadow> {
  const file = new SavedDocument({ path: path(), schema: SavedConfig, log: quiet })
  const shadow = new ConfigShadow({ file, own, clock: new FakeClock(), log: quiet })
  await shadow.load()
  return shadow
}

function desired(version: number, settings: Record<string, unknown>): DesiredConfig {
  return { v: 1, version, hash: settingsHash(settings), issuedAt: 1, settings }
}

describe('the configuration of a device', () => {
  it('is its own until the hub desires another, and keeps that over restarts', async () => {
    const shadow = await started()
    expect(shadow.report).toMatchObject({ status: 'own', version: 0, inForce: 0, hash: null })
    const wanted = desired(3, { cameras: [GATE], uplink: { batchItems: 4 } })
    expect(await shadow.begin(wanted)).toBe(true)
    expect(shadow.settings).toMatchObject({
      uplink: { window: 8, batchItems: 4 },
      cameras: [GATE],
      node: 'dock-3',
    })
    await shadow.confirm()
    expect(shadow.answered(wanted)).toBe(true)
    const again = await started()
    expect(again.report).toMatchObject({ status: 'applied', version: 3, inForce: 3, hash: wanted.hash })
    expect(again.settings).toEqual(shadow.settings)
    expect(schemaFaults(ReportedConfig, again.report)).toEqual([])
    expect(JSON.stringify(again.report)).not.toContain('canary')
    expect((await stat(path())).mode & 0o777).toBe(0o600)
  })

  it('stays when a document cannot be tried, and says why', async () => {
    const shadow = await started()
    await shadow.begin(desired(1, { thumbnails: 'none' }))
    for (const [settings, reason] of [
      [{ dataDir: '/' }, /dataDir: unknown key/],
      [{ broker: { url: 'mqtt://evil' } }, /broker: unknown key/],
      [{ cameras: [{ ...GATE, ffmpegPath: '/bin/sh' }] }, /cameras\.0\.ffmpegPath: unknown key/],
      [{ model: { dir: '/etc' } }, /model\.dir: unknown key/],
      [{ cameras: [GATE, GATE] }, /cameras\.1\.name: another camera/],
      [{ uplink: { window: 1000 } }, /uplink\.window: /],
    ] as const) {
      const wanted = desired(2, settings)
      expect(await shadow.begin(wanted)).toBe(false)
      expect(shadow.report).toMatchObject({ status: 'rejected', version: 2, inForce: 1 })
      expect(shadow.report.error).toMatch(reason)
      expect(shadow.answered(wanted)).toBe(true)
    }
    expect(await shadow.begin({ ...desired(2, {}), hash: 'f'.repeat(64) })).toBe(false)
    expect(shadow.report.error).toMatch(/hash/)
    expect(shadow.settings.thumbnails).toBe('none')
  })

  it('is taken back when the agent fails with it, or stops twice before it is proven', async () => {
    const shadow = await started()
    await shadow.begin(desired(1, { thumbnails: 'none' }))
    await shadow.confirm()
    await shadow.begin(desired(2, { thumbnails: 'fired' }))
    await shadow.reject(fault('MODEL_MISSING', 'no model at rtsp://me:canary@h'))
    expect(shadow.report).toMatchObject({
      status: 'rejected',
      inForce: 1,
      error: expect.stringMatching(/^MODEL_MISSING/),
    })
    expect(JSON.stringify(shadow.report)).not.toContain('canary')

    await shadow.begin(desired(3, { thumbnails: 'fired' }))
    // The first start after a crash may follow a power cut.
    expect((await started()).report).toMatchObject({ status: 'applied', inForce: 3 })
    const third = await started()
    expect(third.report).toMatchObject({ status: 'rejected', version: 3, inForce: 1 })
    expect(third.report.error).toMatch(/^CONFIG_ROLLED_BACK/)
    expect(third.settings.thumbnails).toBe('none')
  })

  it('counts no clean stop against a trial', async () => {
    await (await started()).begin(desired(1, { thumbnails: 'none' }))
    for (let i = 0; i < 4; i++) {
      const shadow = await started()
      expect(shadow.version).toBe(1)
      await shadow.pause()
    }
  })

  it('sets a damaged file aside, and starts with its own', async () => {
    await (await started()).begin(desired(1, { thumbnails: 'none' }))
    const text = await readFile(path(), 'utf8')
    await writeFile(path(), text.replace('none', 'all'))
    expect((await started()).report).toMatchObject({ status: 'own', inForce: 0 })
    expect(await readFile(`${path()}.damaged`, 'utf8')).toContain('thumbnails')
  })
})
