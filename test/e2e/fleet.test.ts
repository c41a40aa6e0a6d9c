import { cp, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { eventually, HubApi } from '../support/api.ts'
import {
  type HubHandle,
  MODEL_DIR,
  type Program,
  runAgent,
  scratch,
  startAgent,
  startHub,
} from '../support/processes.ts'
import { folderOf } from '../support/samples.ts'

/** Each test has a device of its own; from the fourth on they are enrolled, which closes the hub to others. */
describe('a fleet', () => {
  let space: Awaited<ReturnType<typeof scratch>>
  let hub: HubHandle
  let agent: Program
  let photos: string
  let count = 0
  let address: { site: string; node: string }

  const cameraOf = (name: string) => ({ name, source: `folder:${photos}`, fps: 2 })
  const start = async (cameras: readonly Record<string, unknown>[]) => {
    const { site, node } = address
    const options = { node, mqttPort: hub.mqttPort, cameras, extra: { site }, onSpawn: space.own }
    agent = await startAgent(space.dir, options)
  }

  beforeAll(async () => {
    space = await scratch()
    photos = await folderOf(join(space.dir, 'photos'), ['cup-of-espresso', 'fireworks'])
    hub = await startHub(space.dir, undefined, [], { onSpawn: space.own })
  })
  afterAll(() => space.clean())

  beforeEach(async () => {
    count++
    address = { site: `site-${count}`, node: `dock-${count}` }
    await start([cameraOf('gate')])
  })
  afterEach(() => agent.stop())

  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, each checked by the expectation that reads it
  async function call(method: string, path: string, body?: unknown): Promise<any> {
    const response = await fetch(`${hub.url}/api/v1/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    return { status: response.status, ...((await response.json()) as object) }
  }
  const device = () => `devices/${address.site}/${address.node}`
  const config = () => call('GET', `${device()}/config`)
  // biome-ignore lint/suspicious/noExplicitAny: as `call`
  async function row(): Promise<any> {
    const { nodes } = await call('GET', 'nodes')
    return nodes.find(({ node }: { node: string }) => node === address.node)
  }
  // biome-ignore lint/suspicious/noExplicitAny: as `call`
  async function inSync(): Promise<any> {
    let last: Awaited<ReturnType<typeof config>>
    try {
      return await eventually('configuration in force', async () => {
        last = await config()
        return last.drift.state === 'in-sync' ? last : undefined
      })
    } catch (cause) {
      const seen = JSON.stringify({ drift: last?.drift, reported: last?.reported })
      throw fault('INTERNAL', `not in sync: ${seen}\nagent:\n${agent.stderr.slice(-3000)}`, { cause })
    }
  }
  async function command(name: string, args: Record<string, unknown> = {}) {
    const { id, status } = await call('POST', `${device()}/commands`, { command: name, args })
    expect(status).toBe('sent')
    return eventually(`${name} done`, async () => {
      const found = await call('GET', `${device()}/commands/${id}`)
      return ['done', 'failed'].includes(found.replies.at(-1)?.status) ? found : undefined
    })
  }

  it('is configured from the hub, live, and keeps it without its hub', async () => {
    expect(
      await eventually('reported', async () => ((await config()).reported ? config() : undefined)),
    ).toMatchObject({
      drift: { state: 'none' },
      reported: { status: 'own', inForce: 0, settings: { cameras: [{ name: 'gate' }] } },
    })
    const password = 'canary-7f3a'
    const cameras = [
      cameraOf('gate'),
      cameraOf('yard'),
      { name: 'far', source: `rtsp://me:${password}@127.0.0.1:1/1` },
    ]
    await call('PUT', `${device()}/config`, { settings: { cameras, log: { level: 'debug' } }, version: 0 })
    const applied = await inSync()
    expect(applied.reported).toMatchObject({ status: 'applied', version: 1, inForce: 1 })
    expect(JSON.stringify(applied)).not.toContain(password)
    const api = new HubApi(hub.url)
    await eventually('frames of the new camera', async () =>
      (await api.frames()).some(({ camera }) => camera === 'yard') ? true : undefined,
    )

    // What was shown blacked out may be sent back.
    const again = { settings: { ...applied.device.settings, thumbnails: 'none' }, version: 1 }
    expect(await call('PUT', `${device()}/config`, { ...again, version: 0 })).toMatchObject({
      status: 409,
      error: { code: 'CONFIG_CONFLICT' },
    })
    await call('PUT', `${device()}/config`, again)
    await inSync()
    const saved = join(space.dir, address.node, 'config.json')
    expect(await readFile(saved, 'utf8')).toContain(`rtsp://me:${password}@`)
    expect((await stat(saved)).mode & 0o777).toBe(0o600)

    await call('PUT', `${device()}/config`, {
      settings: { dataDir: '/', cameras: [{ name: 'x', source: 'gopher://' }] },
    })
    const rejected = await eventually('rejected', async () => {
      const found = await config()
      return found.drift.state === 'rejected' ? found : undefined
    })
    expect(rejected.reported).toMatchObject({ inForce: 2, version: 3, status: 'rejected' })
    expect(rejected.reported.error).toMatch(/CONFIG_INVALID: .*\ndataDir: unknown key/)
    await eventually('what ails it', async () => {
      const { health } = await row()
      const codes = health.reasons.map(({ code }: { code: string }) => code)
      return codes.includes('camera-failed') && codes.includes('config-rejected') ? true : undefined
    })

    await hub.program.stop()
    await agent.stop()
    await start([cameraOf('gate')])
    expect(agent.lines.find(line => line.startsWith('agent ready'))).toMatch(/3 cameras/)
    hub = await startHub(space.dir, hub, [], { onSpawn: space.own })
  })

  it('does as it is told, once, and says what came of it', async () => {
    await eventually('device known', async () => ((await row()) === undefined ? undefined : true))
    const shot = await command('snapshot', { camera: 'gate', px: 320 })
    const statuses = shot.replies.map(({ status }: { status: string }) => status)
    expect(statuses).toEqual(['accepted', 'done'])
    const jpeg = Buffer.from(shot.replies.at(-1).result.jpeg, 'base64')
    expect([...jpeg.subarray(0, 3)]).toEqual([0xff, 0xd8, 0xff])
    expect(await command('restart-camera', { camera: 'gate' })).toMatchObject({ status: 'done' })
    expect((await command('restart-camera', { camera: 'gone' })).replies.at(-1)).toMatchObject({
      status: 'failed',
      code: 'CAMERA_UNKNOWN',
    })
    expect((await command('rotate-credential')).replies.at(-1)).toMatchObject({ code: 'CREDENTIAL_MISSING' })
    expect((await command('update-model', { model: 'x' })).replies.at(-1)).toMatchObject({
      code: 'CREDENTIAL_MISSING',
    })
    const logs = await command('collect-logs', { lines: 5 })
    expect(logs.replies.at(-1).result.lines.length).toBeGreaterThan(0)
    const examined = await command('doctor')
    expect(examined.replies.at(-1).result.findings).toEqual(
      expect.arrayContaining([expect.objectContaining({ group: 'Cameras', name: 'gate', mark: 'ok' })]),
    )
    const { commands } = await call('GET', `${device()}/commands`)
    expect(commands).toHaveLength(7)
    expect(commands.at(-1).replies.at(-1)).toMatchObject({ hasResult: true })
    expect(JSON.stringify(commands)).not.toContain(shot.replies.at(-1).result.jpeg)
  })

  it('gives a device the settings of its site', async () => {
    await call('PUT', `sites/${address.site}/config`, {
      settings: { thumbnails: 'none', log: { level: 'error' } },
    })
    await call('PUT', `${device()}/config`, { settings: { log: { level: 'warn' } } })
    const { reported, issued } = await inSync()
    expect(issued.settings).toEqual({ thumbnails: 'none', log: { level: 'warn' } })
    expect(reported.settings).toMatchObject({ thumbnails: 'none', log: { level: 'warn' } })
  })

  /** From a device that the demo lets in to one with a credential of its own. */
  async function enrol(): Promise<void> {
    await agent.stop()
    const { token, command: line } = await call('POST', 'enrollments', address)
    expect(line).toContain(`sightline-agent enroll --hub ${hub.url} --token slt1.`)
    const place = ['--data-dir', join(space.dir, address.node)]
    const program = runAgent(['enroll', '--hub', hub.url, '--token', token, ...place])
    expect(await program.exit()).toBe(0)
    await start([cameraOf('gate')])
    await eventually('it is back', async () => ((await row())?.online ? true : undefined))
  }

  it('enrols, changes its secret, and goes on recording when it is turned away', async () => {
    await enrol()
    const path = join(space.dir, address.node, 'credential.json')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const secret = async () => JSON.parse(await readFile(path, 'utf8')).secret as string
    const before = await secret()
    expect(await command('rotate-credential')).toMatchObject({ status: 'done' })
    expect(await secret()).not.toBe(before)
    const online = async () => (await row()).online
    await eventually('rules by the key of the hub', async () =>
      (await row()).rulesVersion > 0 ? true : undefined,
    )

    await call('POST', `${device()}/revoke`)
    await eventually('turned away', async () => ((await online()) ? undefined : true))
    await eventually('it says so', async () =>
      agent.stderr.includes('CREDENTIAL_REFUSED') ? true : undefined,
    )
    expect(agent.running).toBe(true)
    expect(agent.stderr).not.toContain(await secret())
    const stored = (await call('GET', 'system')).counts.frames
    // Enrolled anew it delivers what it recorded meanwhile.
    await enrol()
    await eventually('what was recorded', async () =>
      (await call('GET', 'system')).counts.frames > stored ? true : undefined,
    )
  })

  it('changes its model from the store of its hub, and goes back from one that does not do', async () => {
    await enrol()
    await offer('mini-two', manifest => manifest)
    // A canary that no sound model gives: the known embedding of another picture.
    await offer('mini-bad', manifest => ({
      ...manifest,
      canary: { ...manifest.canary, images: [...manifest.canary.images].reverse() },
    }))
    const fingerprint = async () => (await row()).fingerprint

    const updated = await command('update-model', { model: 'mini-two' })
    expect(updated.replies.at(-1)).toMatchObject({ status: 'done', result: { changed: true } })
    const phases = updated.replies.map(({ message }: { message?: string }) => message).join('\n')
    expect(phases).toMatch(/pulling mini-two[\s\S]*every file verified[\s\S]*switching/)
    expect(await fingerprint()).toMatch(/^mini-two:/)
    expect((await command('update-model', { model: 'mini-two' })).replies.at(-1).result).toMatchObject({
      changed: false,
    })

    const refused = await command('update-model', { model: 'mini-bad' })
    expect(refused.replies.at(-1)).toMatchObject({ status: 'failed', code: 'MODEL_ROLLED_BACK' })
    expect((await command('update-model', { model: 'gone' })).replies.at(-1)).toMatchObject({
      code: 'MODEL_UNKNOWN',
    })
    await eventually('the model before', async () =>
      (await fingerprint()).startsWith('mini-two:') ? true : undefined,
    )
    await agent.stop()
    await start([cameraOf('gate')])
    expect(await fingerprint()).toMatch(/^mini-two:/)

    // By configuration: the same, and taken back likewise.
    await call('PUT', `${device()}/config`, { settings: { model: { name: 'mini-bad' } } })
    await eventually('rejected', async () => ((await config()).drift.state === 'rejected' ? true : undefined))
    expect((await config()).reported.error).toMatch(/^PROVIDER_UNTRUSTED/)
    expect(await fingerprint()).toMatch(/^mini-two:/)
    expect((await command('update-model', { model: null })).replies.at(-1)).toMatchObject({ status: 'done' })
    expect(await fingerprint()).toMatch(/^sightline-mini:/)
  }, 180_000)

  // biome-ignore lint/suspicious/noExplicitAny: a manifest, changed in one place
  async function offer(name: string, change: (manifest: any) => unknown): Promise<void> {
    const dir = join(space.dir, 'hub/models', name)
    await cp(MODEL_DIR, dir, { recursive: true, filter: path => !path.endsWith('.verified.json') })
    const manifest = JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8'))
    await writeFile(join(dir, 'manifest.json'), JSON.stringify(change({ ...manifest, name })))
  }
})
