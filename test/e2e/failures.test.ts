import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually, HubApi } from '../support/api.ts'
import { MODEL_DIR, runAgent, runHub, scratch, startAgent, startHub } from '../support/processes.ts'
import { folderOf } from '../support/samples.ts'

let space: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  space = await scratch()
})
afterEach(() => space.clean())

const OWN_PORTS = { SIGHTLINE_HTTP_PORT: '0', SIGHTLINE_MQTT_PORT: '0' }

/** Runs a command that must fail; what it prints is code, message and remedy. */
async function failing(program: ReturnType<typeof runHub>): Promise<string> {
  space.own(program)
  expect(await program.exit()).toBe(1)
  expect(program.stderr).toMatch(/^[A-Z_]+: .+\n(.*\n)*→ .+/m)
  return program.stderr
}

describe('a hub that cannot start says why', () => {
  const serve = (env: Record<string, string>, args: string[] = []) =>
    failing(runHub(['serve', ...args], { SIGHTLINE_DATA_DIR: join(space.dir, 'hub'), ...OWN_PORTS, ...env }))

  it('bad settings: every fault, by path', async () => {
    const file = join(space.dir, 'hub.yaml')
    await writeFile(file, 'http: { port: 99999, hots: x }\nmqtt: { maxPacketBytes: small }\n')
    const text = await serve({ SIGHTLINE_HTTP_PORT: '' }, ['--config', file])
    expect(text).toContain('CONFIG_INVALID')
    for (const path of ['http.port', 'http.hots', 'mqtt.maxPacketBytes']) expect(text).toContain(path)
  })

  it('a settings file that is not there', async () => {
    expect(await serve({}, ['--config', join(space.dir, 'none.yaml')])).toContain('CONFIG_UNREADABLE')
  })

  it('a model that is not there', async () => {
    expect(await serve({ SIGHTLINE_MODEL_DIR: join(space.dir, 'no-model') })).toContain('MODEL_MISSING')
  })

  it('a model file that differs from its manifest', async () => {
    const dir = join(space.dir, 'model')
    await cp(MODEL_DIR, dir, { recursive: true, filter: path => !path.endsWith('.verified.json') })
    const tokenizer = await readFile(join(dir, 'tokenizer.json'), 'utf8')
    await writeFile(join(dir, 'tokenizer.json'), tokenizer.replace('"', "'"))
    const text = await serve({ SIGHTLINE_MODEL_DIR: dir })
    expect(text).toContain('MODEL_FILE_CORRUPT')
    expect(text).toContain('tokenizer.json')
  })

  it('a port that is taken', async () => {
    const squatter = createServer().listen(0, '127.0.0.1')
    await new Promise(resolve => squatter.once('listening', resolve))
    const { port } = squatter.address() as { port: number }
    const text = await serve({ SIGHTLINE_HTTP_PORT: String(port) })
    squatter.close()
    expect(text).toContain('PORT_IN_USE')
    expect(text).toContain(String(port))
  })
})

describe('an agent that cannot start says why', () => {
  const run = async (settings: object) => {
    const file = join(space.dir, 'agent.yaml')
    await writeFile(file, JSON.stringify({ node: 'a', dataDir: join(space.dir, 'agent'), ...settings }))
    return await failing(runAgent(['run', '--config', file]))
  }

  it('bad settings: every fault, by path', async () => {
    const text = await run({
      node: 'no/slash',
      cameras: [{ name: 'x', source: 'folder:.', fps: -1 }],
      modle: {},
    })
    expect(text).toContain('CONFIG_INVALID')
    for (const path of ['node', 'cameras.0.fps', 'modle']) expect(text).toContain(path)
  })

  it('a camera source that nothing can read', async () => {
    expect(await run({ cameras: [{ name: 'x', source: 'gopher://x' }] })).toContain('CAMERA_BAD_SOURCE')
  })
})

describe('what goes wrong while it runs costs one frame, not the process', () => {
  it('a file that is no picture, among pictures', async () => {
    const hub = await startHub(space.dir)
    space.own(hub.program)
    const dir = await folderOf(join(space.dir, 'mixed'), ['moose', 'lighthouse'])
    await writeFile(join(dir, '000-broken.jpg'), 'this is no JPEG')
    await writeFile(
      join(dir, '0005-cut-off.jpg'),
      (await readFile(join(dir, '000-moose.jpg'))).subarray(0, 3000),
    )
    const agent = space.own(
      await startAgent(space.dir, {
        mqttPort: hub.mqttPort,
        cameras: [{ name: 'mixed', source: `folder:${dir}`, fps: 10 }],
      }),
    )
    const api = new HubApi(hub.url)
    await eventually('both pictures, twice', async () =>
      (await api.frames()).length >= 4 ? true : undefined,
    )
    await eventually('the fault in the log', async () =>
      agent.stderr.includes('IMAGE_INVALID') ? true : undefined,
    )
    expect(agent.running).toBe(true)
    expect(await agent.stop()).toBe(0)
  })
})

it('damaged index files are rebuilt from the store, and search is right again', async () => {
  const config = join(space.dir, 'hub.yaml')
  await writeFile(config, 'index: { sealAt: 64 }\n')
  const hub = await startHub(space.dir, undefined, ['--config', config])
  space.own(hub.program)
  const api = new HubApi(hub.url)
  const subjects = ['moose', 'lighthouse', 'fireworks', 'latte-on-table', 'skyscrapers-from-below']
  const source = `folder:${await folderOf(join(space.dir, 'five'), subjects)}`
  const agent = space.own(
    await startAgent(space.dir, { mqttPort: hub.mqttPort, cameras: [{ name: 'five', source, fps: 20 }] }),
  )
  const sealed = async () => {
    const { index } = await api.get<{ index: { segments: number; vectors: number } }>('/system')
    return index.segments > 0 ? index : undefined
  }
  await eventually('a sealed segment', sealed)
  await agent.stop()
  const before = (await api.search('a lighthouse', 3)).map(hit => hit.similarity)
  await hub.program.stop()

  const files = await damage(join(space.dir, 'hub/index'))
  expect(files).toBeGreaterThan(0)
  const again = await startHub(space.dir, undefined, ['--config', config])
  space.own(again.program)
  const after = new HubApi(again.url)
  const { counts } = await after.get<{ counts: { frames: number } }>('/system')
  await eventually('everything indexed', async () => {
    const { index } = await after.get<{ index: { vectors: number } }>('/system')
    return index.vectors === counts.frames ? true : undefined
  })
  const found = (await after.search('a lighthouse', 3)).map(hit => hit.similarity)
  for (const [i, similarity] of found.entries()) expect(similarity).toBeCloseTo(before[i]!, 5)
  expect(again.program.stderr).toContain('INDEX_DAMAGED')
})

/** Overwrites the middle of every file of the index with zeros. */
async function damage(dir: string): Promise<number> {
  let files = 0
  for (const entry of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || /sources/.test(entry.name)) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = await readFile(path)
    bytes.fill(0, Math.floor(bytes.length / 3), Math.floor(bytes.length / 2))
    await writeFile(path, bytes)
    files++
  }
  return files
}
