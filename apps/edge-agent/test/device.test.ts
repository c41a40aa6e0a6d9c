import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttp, type Server } from 'node:http'
import { type AddressInfo, createServer, type Socket, type Server as TcpServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  CommandReply,
  createLog,
  type DeviceCredential,
  decodeJson,
  decodeMessagePack,
  EmbeddingBatch,
  encodeJson,
  NodeState,
  nodeTopic,
  ReportedConfig,
  settingsHash,
  systemClock,
} from '@sightline/core'
import { LogRing } from '@sightline/edge-agent/commands/log-ring.js'
import { createDevice, type Device } from '@sightline/edge-agent/device.js'
import { loadOwnSettings } from '@sightline/edge-agent/device-settings.js'
import { credentialPath, readCredential } from '@sightline/edge-agent/enroll/credential.js'
import { Aedes, type AuthenticateError } from 'aedes'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { until } from './support/until.ts'

const PHOTOS = fileURLToPath(new URL('../../../deploy/samples/cameras/yard/', import.meta.url))
const ADDRESS = { site: 'warehouse', node: 'dock-3' }
const ID = 'warehouse~dock-3'
const RULES_KEY = generateKeyPairSync('ed25519').publicKey.export({ format: 'pem', type: 'spki' }).toString()

/** A broker that lets in who has the password, and a hub that changes it. */
class TestHub {
  readonly passwords = new Set(['a'.repeat(43)])
  /** Passwords that were tried, in order. */
  readonly tried: string[] = []
  readonly replies: CommandReply[] = []
  readonly states: NodeState[] = []
  readonly reports: ReportedConfig[] = []
  /** Topics that are listened to now. */
  readonly subscriptions = new Set<string>()
  frames = 0
  /** Reports of the configuration are neither taken nor acknowledged. */
  deaf = false
  rotate: () => unknown = () => undefined
  #aedes!: Aedes
  #tcp!: TcpServer
  #http!: Server
  readonly #sockets = new Set<Socket>()

  async start(): Promise<this> {
    const aedes = await Aedes.createBroker()
    this.#aedes = aedes
    aedes.authenticate = (client, username, password, done) => {
      const text = String(password)
      this.tried.push(text)
      const known = client.id === ID && username === ID && this.passwords.has(text)
      done(known ? null : (Object.assign(new TypeError('no'), { returnCode: 5 }) as AuthenticateError), known)
    }
    aedes.authorizePublish = (_client, { topic, payload }, done) => {
      if (this.deaf && topic === nodeTopic('cfg/reported', ADDRESS)) return
      this.#take(topic, payload as Buffer)
      done(null)
    }
    aedes.on('subscribe', subscriptions => {
      for (const { topic } of subscriptions) this.subscriptions.add(topic)
    })
    aedes.on('unsubscribe', topics => {
      for (const topic of topics) this.subscriptions.delete(topic)
    })
    this.#tcp = createServer({ noDelay: true }, socket => {
      this.#sockets.add(socket)
      aedes.handle(socket)
    }).listen(0, '127.0.0.1')
    this.#http = createHttp((request, response) => {
      const body = request.headers.authorization === undefined ? undefined : this.rotate()
      response.writeHead(body === undefined ? 401 : 200).end(JSON.stringify(body ?? {}))
    }).listen(0, '127.0.0.1')
    await Promise.all([once(this.#tcp, 'listening'), once(this.#http, 'listening')])
    return this
  }

  credential(secret: string): DeviceCredential {
    const port = (server: TcpServer) => (server.address() as AddressInfo).port
    return {
      v: 1,
      ...ADDRESS,
      secret,
      brokerUrl: `mqtt://127.0.0.1:${port(this.#tcp)}`,
      hubUrl: `http://127.0.0.1:${port(this.#http)}`,
      ca: null,
      rulesKeys: [RULES_KEY],
      issuedAt: 1,
    }
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async publish(topic: string, message: unknown, retain = false): Promise<void> {
    const payload = encodeJson(message)
    await new Promise<void>((resolve, reject) =>
      this.#aedes.publish({ cmd: 'publish', topic, payload, qos: 1, retain, dup: false }, error =>
        error ? reject(error) : resolve(),
      ),
    )
  }

  async stop(): Promise<void> {
    this.#tcp.close()
    this.#http.close()
    this.cut()
    await new Promise<void>(resolve => this.#aedes.close(resolve))
  }

  #take(topic: string, payload: Buffer): void {
    if (topic === nodeTopic('state', ADDRESS)) this.states.push(decodeJson(NodeState, payload))
    if (topic === nodeTopic('reply', ADDRESS)) this.replies.push(decodeJson(CommandReply, payload))
    if (topic === nodeTopic('cfg/reported', ADDRESS)) this.reports.push(decodeJson(ReportedConfig, payload))
    if (topic === nodeTopic('emb', ADDRESS))
      this.frames += decodeMessagePack(EmbeddingBatch, payload).items.length
  }
}

let dir = ''
let hub: TestHub
let device: Device | undefined
let logs: LogRing

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'device-'))
  hub = await new TestHub().start()
  logs = new LogRing({ write: () => {} })
  await mkdir(join(dir, 'data'))
  await writeFile(credentialPath(join(dir, 'data')), JSON.stringify(hub.credential('a'.repeat(43))))
})
afterEach(async () => {
  await device?.stop()
  device = undefined
  await hub.stop()
  await rm(dir, { recursive: true, force: true })
})

async function start(settings: Record<string, unknown> = {}): Promise<Device> {
  const file = join(dir, 'agent.yaml')
  const cameras = [{ name: 'yard', source: `folder:${PHOTOS}`, fps: 10, thumbnails: 'none' }]
  // This hub acknowledges no frame: waiting for that at the end is waiting in vain.
  const uplink = { drainSeconds: 0 }
  await writeFile(file, JSON.stringify({ dataDir: join(dir, 'data'), cameras, uplink, ...settings }))
  const own = await loadOwnSettings(file)
  const log = createLog({ name: 'agent', level: 'info', destination: logs })
  device = await createDevice({ settings: own.settings, log, logs, clock: systemClock, version: '9.9.9' })
  await device.start()
  return device
}

const logged = (pattern: RegExp) => logs.tail(1000, 1e6).some(line => pattern.test(line))
const command = (name: string) => {
  const issuedAt = Date.now()
  const id = `id-of-${name}`
  return { v: 1, id, command: name, args: {}, issuedAt, expiresAt: issuedAt + 60_000 }
}
const desiredOf = (version: number, settings: Record<string, unknown>) => ({
  v: 1,
  version,
  hash: settingsHash(settings),
  issuedAt: Date.now(),
  settings,
})
const replied = (name: string) => hub.replies.findLast(({ id }) => id === `id-of-${name}`)

describe('an enrolled device', () => {
  it('is who its credential says, and nobody else', async () => {
    const { settings } = await start()
    expect(settings).toMatchObject(ADDRESS)
    await until(() => hub.states.some(({ online }) => online) && hub.reports.length > 0)
    expect(hub.reports[0]).toMatchObject({ status: 'own' })
    await device!.stop()
    await expect(start({ site: 'elsewhere' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    await expect(start({ node: 'dock-4' })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    expect(settings.broker.url).toBe(hub.credential('').brokerUrl)
    const other = 'mqtt://127.0.0.1:1'
    expect((await start({ broker: { url: other } })).settings.broker.url).toBe(other)
  })

  it('changes its secret when told to, and forgets the old one once the new one was let in', async () => {
    await start()
    await until(() => hub.states.length > 0)
    const next = 'b'.repeat(43)
    hub.rotate = () => {
      hub.passwords.add(next)
      return hub.credential(next)
    }
    await hub.publish(nodeTopic('cmd', ADDRESS), command('rotate-credential'))
    await until(() => replied('rotate-credential')?.status === 'done')
    expect(hub.tried).toEqual(['a'.repeat(43), next])
    expect(await readCredential(credentialPath(join(dir, 'data')))).toMatchObject({ secret: next })
    expect(await readdir(join(dir, 'data'))).not.toContain('credential.former.json')
  })

  it('keeps the old secret when the new one is not let in', async () => {
    await start()
    await until(() => hub.states.length > 0)
    // The hub never took note of what it gave out.
    hub.rotate = () => hub.credential('c'.repeat(43))
    await hub.publish(nodeTopic('cmd', ADDRESS), command('rotate-credential'))
    await until(() => replied('rotate-credential')?.status === 'failed')
    expect(replied('rotate-credential')).toMatchObject({ code: 'CREDENTIAL_REFUSED' })
    expect(hub.tried.slice(0, 3)).toEqual(['a', 'c', 'a'].map(letter => letter.repeat(43)))
    expect(await readCredential(credentialPath(join(dir, 'data')))).toMatchObject({ secret: 'a'.repeat(43) })
  })

  it('goes on recording when it was revoked, says so, and delivers when it is let in again', async () => {
    await start()
    await until(() => hub.frames > 0)
    hub.passwords.clear()
    hub.cut()
    await until(() => hub.tried.length > 2)
    await until(() => logged(/"code":"CREDENTIAL_REFUSED".*Check on the hub whether the device was revoked/))
    const before = hub.frames
    hub.passwords.add('a'.repeat(43))
    await until(() => hub.frames > before + 5)
    expect(logged(/aaaaaaaa/)).toBe(false)
  })

  it('joins another group of rules, and takes other rates and another level, without a restart', async () => {
    await start()
    await until(() => hub.reports.length > 0)
    const rulesTopics = () => [...hub.subscriptions].filter(topic => topic.includes('/rules/'))
    expect(rulesTopics()).toEqual([expect.stringMatching('/warehouse/rules/all/')])
    const connections = hub.tried.length
    const settings = { rules: { group: 'docks' }, uplink: { statsSeconds: 1 }, log: { level: 'debug' } }
    await hub.publish(nodeTopic('cfg/desired', ADDRESS), desiredOf(1, settings), true)
    await until(() => hub.states.at(-1)?.rulesGroup === 'docks')
    expect(rulesTopics()).toEqual([expect.stringMatching('/warehouse/rules/docks/')])
    await until(() => hub.reports.at(-1)?.status === 'applied' && hub.states.at(-1)?.configVersion === 1)
    expect(hub.reports.at(-1)?.settings).toMatchObject(settings)
    expect(hub.tried).toHaveLength(connections)
  })

  it('takes the next configuration while the hub has not acknowledged what it reported of the last', async () => {
    await start()
    await until(() => hub.reports.length > 0)
    hub.deaf = true
    const level = () => device!.settings.log.level
    await hub.publish(nodeTopic('cfg/desired', ADDRESS), desiredOf(1, { log: { level: 'debug' } }), true)
    await until(() => level() === 'debug')
    await hub.publish(nodeTopic('cfg/desired', ADDRESS), desiredOf(2, { log: { level: 'warn' } }), true)
    await until(() => level() === 'warn')
    hub.deaf = false
    hub.cut()
    await until(() => hub.reports.at(-1)?.inForce === 2)
  })

  it('goes back from a configuration that it cannot run', async () => {
    await start()
    await until(() => hub.reports.length > 0)
    const settings = { model: { provider: 'cuda' } }
    await hub.publish(nodeTopic('cfg/desired', ADDRESS), desiredOf(1, settings), true)
    await until(() => hub.reports.some(({ status }) => status === 'rejected'))
    expect(hub.reports.at(-1)).toMatchObject({
      version: 1,
      inForce: 0,
      settings: { model: { provider: 'auto' } },
    })
    expect(hub.reports.at(-1)!.error).toMatch(/^PROVIDER_UNAVAILABLE/)
    const before = hub.frames
    await until(() => hub.frames > before)
    const text = readFileSync(join(dir, 'data/config.json'), 'utf8')
    expect(text.slice(text.indexOf('\n'))).toMatch(/"trial": null/)
  }, 60_000)
})
