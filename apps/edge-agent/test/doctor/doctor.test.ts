import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Finding } from '@sightline/edge-agent/doctor/finding.js'
import { examineHub } from '@sightline/edge-agent/doctor/hub.js'
import { Aedes } from 'aedes'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

let dir = ''
const closing: (() => Promise<void>)[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agent-doctor-'))
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await rm(dir, { recursive: true, force: true })
})

async function agent(args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const env = { PATH: process.env.PATH ?? '' }
  const child = spawn(process.execPath, [MAIN, ...args], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', chunk => {
    out += chunk
  })
  child.stderr.on('data', chunk => {
    err += chunk
  })
  const [code] = await once(child, 'close')
  return { code, out, err }
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(async () => {
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** @returns the port, and the ids of the clients that came */
async function broker(): Promise<{ port: number; clients: string[] }> {
  const aedes = await Aedes.createBroker()
  const clients: string[] = []
  aedes.on('client', ({ id }) => clients.push(id))
  const port = await listen(createServer(aedes.handle))
  closing.push(() => new Promise(resolve => aedes.close(() => resolve())))
  return { port, clients }
}

async function hubClock(offsetMs: number): Promise<string> {
  const server = createHttpServer((_, response) => {
    response.sendDate = false
    response.setHeader('date', new Date(Date.now() + offsetMs).toUTCString())
    response.end('{}')
  })
  return `http://127.0.0.1:${await listen(server)}`
}

async function folderCamera(): Promise<string> {
  const folder = join(dir, 'yard')
  await mkdir(folder)
  const picture = sharp({ create: { width: 320, height: 200, channels: 3, background: '#808080' } })
  await picture.jpeg().toFile(join(folder, '1.jpg'))
  return `folder:${folder}`
}

async function configFile(settings: object): Promise<string> {
  const path = join(dir, 'agent.yaml')
  await writeFile(path, JSON.stringify(settings))
  return path
}

describe('sightline-agent doctor', () => {
  it('finds everything that is there, and ends with 0', async () => {
    const { port, clients } = await broker()
    const config = await configFile({
      site: 'dock',
      node: 'n-1',
      cameras: [{ name: 'yard', source: await folderCamera() }],
      broker: { url: `mqtt://127.0.0.1:${port}` },
      outbox: { minFreeDiskBytes: 0 },
    })
    const { code, out } = await agent(['doctor', '--json', '--config', config, '--hub', await hubClock(0)])
    const report = JSON.parse(out) as { ok: boolean; findings: Finding[] }
    const failed = report.findings.filter(({ mark }) => mark === 'fail')
    expect({ code, failed }).toEqual({ code: 0, failed: [] })
    expect(report).toMatchObject({ ok: true, site: 'dock', node: 'n-1' })
    const by = (name: string) => report.findings.find(finding => finding.name === name)
    expect(by('yard')).toMatchObject({ mark: 'ok', data: { width: 320, height: 200 } })
    expect(by('clock')).toMatchObject({ mark: 'ok' })
    expect(by('cpu')).toMatchObject({ mark: 'ok', data: { available: true, chosen: true } })
    expect(by('canary')).toMatchObject({ mark: 'ok' })
    expect((by('speed')!.data as { msPerFrame: number }).msPerFrame).toBeGreaterThan(0)
    expect(report.findings.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['system', 'node', 'processor', 'memory', 'disk', 'tensorrt', 'cuda', 'webgpu']),
    )
    // Not the agent's own id, which would throw it off the broker; and no data directory for the agent to trip over.
    expect(clients).toEqual(['dock~n-1~doctor'])
    expect((await readdir(dir)).sort()).toEqual(['agent.yaml', 'yard'])
  })

  it('names what is missing with what to do, keeps secrets, and ends with 1', async () => {
    const config = await configFile({
      cameras: [
        { name: 'gate', source: 'http://admin:hunter2@127.0.0.1:1/snap.jpg', timeoutSeconds: 2 },
        { name: 'empty', source: `folder:${join(dir, 'nothing')}`, timeoutSeconds: 2 },
      ],
      broker: { url: 'mqtt://me:hunter2@127.0.0.1:1' },
      model: { dir: join(dir, 'no-model') },
    })
    const { code, out, err } = await agent(['doctor', '--config', config])
    expect(code).toBe(1)
    expect(out).toMatch(/✗ model +MODEL_MISSING: .*no-model/)
    expect(out).toMatch(/✗ gate +CAMERA_FAILED: /)
    expect(out).toMatch(/✗ empty +CAMERA_FAILED: /)
    expect(out).toMatch(/✗ broker +BROKER_UNREACHABLE: mqtt:\/\/…@127\.0\.0\.1:1/)
    expect(out).toMatch(/→ Point model\.dir at a directory/)
    expect(out).toMatch(/\n✗ Not ready: model, gate, empty, broker\.\n$/)
    expect(out + err).not.toMatch(/hunter2/)
  })

  it('fails for an explicit provider that is not there', async () => {
    const config = await configFile({
      model: { provider: 'tensorrt' },
      broker: { url: 'mqtt://127.0.0.1:1' },
    })
    const { code, out } = await agent(['doctor', '--config', config])
    expect(code).toBe(1)
    expect(out).toMatch(/✗ provider +PROVIDER_UNAVAILABLE: tensorrt cannot be used here/)
  })
})

describe('the clock against the hub', () => {
  it.each([
    [90_000, 'warn', /90\.\d s behind the hub|89\.\d s behind the hub/],
    [-3_600_000, 'warn', /s ahead of the hub/],
    [0, 'ok', /within 2 s/],
  ])('off by %d ms', async (offsetMs, mark, text) => {
    const { port } = await broker()
    const [link, clock] = await examineHub({
      broker: { url: `mqtt://127.0.0.1:${port}`, connectTimeoutSeconds: 5 },
      clientId: 'x',
      httpUrl: await hubClock(offsetMs),
    })
    expect(link!.mark).toBe('ok')
    expect(clock).toMatchObject({ mark, text: expect.stringMatching(text) })
  })
})

describe('sightline-agent bench', () => {
  it('measures every batch and prints one document', async () => {
    const config = await configFile({ model: { provider: 'cpu', threads: 1 } })
    const { code, out, err } = await agent(['bench', '--json', '--seconds', '1', '--config', config])
    expect(code).toBe(0)
    const { results } = JSON.parse(out) as { results: { batch: number; framesPerSecond: number }[] }
    expect(results.map(({ batch }) => batch)).toEqual([1, 4, 8, 16])
    for (const { framesPerSecond } of results) expect(framesPerSecond).toBeGreaterThan(0)
    expect(err).toMatch(/4\/4 {2}cpu int8 batch 16: [\d.]+ frames\/s/)
  })

  it('refuses a time that is none', async () => {
    const { code, err } = await agent(['bench', '--seconds', 'soon'])
    expect(code).toBe(1)
    expect(err).toMatch(/CONFIG_INVALID: --seconds/)
  })
})
