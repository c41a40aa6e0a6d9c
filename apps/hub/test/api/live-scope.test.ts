import {
  type CommandReply,
  encodeJson,
  type NodeState,
  nodeTopic,
  type ReportedConfig,
  settingsHash,
} from '@sightline/core'
import { LIVE_EVENTS } from '@sightline/hub/api/live-events.js'
import { connectAsync, type MqttClient } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../../../test/support/api.ts'
import { addUser, type Caller, send, signIn } from '../auth/callers.ts'
import { photo, SESSION, TestHub } from '../moderation/hub.ts'

/** Who watches, and what each may see of `default/n1` (cameras yard and lobby) and `depot/n9` (camera gate). */
const ADMIN = 'admin'
const OF_THE_SITE = 'of-the-site'
const OF_THE_CAMERA = 'of-the-camera'
const SCOPES = { [OF_THE_SITE]: ['default'], [OF_THE_CAMERA]: ['default/*/yard'] }

/** Frames, incidents and hits that each hears of, by where they are from; commands and settings: by device. */
const YARD = 'default yard'
const LOBBY = 'default lobby'
const GATE = 'depot gate'
const HEARD: Record<(typeof LIVE_EVENTS)[number], Record<string, readonly string[]>> = {
  frame: { [ADMIN]: [YARD, LOBBY, GATE], [OF_THE_SITE]: [YARD, LOBBY], [OF_THE_CAMERA]: [YARD] },
  incident: { [ADMIN]: [YARD, LOBBY, GATE], [OF_THE_SITE]: [YARD, LOBBY], [OF_THE_CAMERA]: [YARD] },
  // Of a device, its cameras.
  node: {
    [ADMIN]: ['default lobby,yard', 'depot gate'],
    [OF_THE_SITE]: ['default lobby,yard'],
    [OF_THE_CAMERA]: ['default yard'],
  },
  reply: { [ADMIN]: ['default', 'depot'], [OF_THE_SITE]: [], [OF_THE_CAMERA]: [] },
  config: { [ADMIN]: ['default', 'depot'], [OF_THE_SITE]: [], [OF_THE_CAMERA]: [] },
  'saved-search': {
    [ADMIN]: [ADMIN, OF_THE_SITE, OF_THE_CAMERA]
      .flatMap(owner => [YARD, LOBBY, GATE].map(place => `${owner}: ${place}`))
      // What a limited viewer saved looks no further than he does.
      .filter(hit => !/^of-the-site: depot|^of-the-camera: (depot|default lobby)/.test(hit)),
    [OF_THE_SITE]: [`${OF_THE_SITE}: ${YARD}`, `${OF_THE_SITE}: ${LOBBY}`],
    [OF_THE_CAMERA]: [`${OF_THE_CAMERA}: ${YARD}`],
  },
}

/** Names of what the viewer of one camera must not read anywhere in his stream. */
const SECRET = /lobby|depot|gate|secret/

let hub: TestHub
let agent: MqttClient
let admin: Caller
const streams = new Map<string, Stream>()

beforeAll(async () => {
  hub = await TestHub.start()
  agent = await connectAsync(hub.mqttUrl, { clientId: 'depot~n9' })
  await addUser(hub, {}, { name: ADMIN, role: 'admin' })
  admin = await signIn(hub, ADMIN)
  for (const [name, scope] of Object.entries(SCOPES))
    await addUser(hub, admin, { name, role: 'viewer', scope })
  for (const name of [ADMIN, OF_THE_SITE, OF_THE_CAMERA]) {
    const caller = name === ADMIN ? admin : await signIn(hub, name)
    const body = { name: name === ADMIN ? 'secret of the lobby' : name, text: 'anything', threshold: -1 }
    expect((await send(hub, caller, 'POST', '/api/v1/searches', body)).status).toBe(201)
    streams.set(name, await Stream.open(caller))
  }
  await sayEverything()
})
afterAll(async () => {
  for (const stream of streams.values()) stream.close()
  await agent?.endAsync()
  await hub?.stop()
})

describe.each([ADMIN, OF_THE_SITE, OF_THE_CAMERA])('the live feed of the viewer %s', name => {
  it.each(LIVE_EVENTS)('tells of each `%s` within reach, and of no other', async kind => {
    const told = new Set(
      streams
        .get(name)!
        .events.filter(event => event.kind === kind)
        .map(placeOf),
    )
    expect([...told].sort()).toEqual([...HEARD[kind][name]!].sort())
  })
})

it('names nothing to the viewer of one camera that is out of his reach', () => {
  const { text } = streams.get(OF_THE_CAMERA)!
  expect(text).toContain('yard')
  expect(text).not.toMatch(SECRET)
})

it('tells a limited viewer who comes back what he missed, and no more', async () => {
  const lastSeen = /^id: (\S+)-\d+$/m.exec(streams.get(ADMIN)!.text)![1]!
  const caller = await signIn(hub, OF_THE_CAMERA)
  const late = await Stream.open({ ...caller, 'last-event-id': `${lastSeen}-0` })
  const before = streams.get(OF_THE_CAMERA)!.events.length
  await late.until(({ events }) => events.length >= before)
  expect(late.events).toEqual(streams.get(OF_THE_CAMERA)!.events)
  expect(late.text).not.toMatch(SECRET)
  late.close()
})

/** Makes the hub tell of every kind of event, within and without everybody's reach. */
async function sayEverything(): Promise<void> {
  await hub.sendState(stateOf(['lobby', 'yard']))
  await say('state', stateOf(['gate']))
  for (const device of ['default/n1', 'depot/n9']) {
    const known = await eventually('the device', async () => {
      const path = `/api/v1/devices/${device}/commands`
      const { status, text } = await send(hub, admin, 'POST', path, { command: 'doctor' })
      return status === 202 ? JSON.parse(text) : undefined
    })
    const address = addressOf(device)
    const reply: CommandReply = { v: 1, id: known.id, status: 'done', at: Date.now(), message: 'secret' }
    await agent.publishAsync(nodeTopic('reply', address), encodeJson(reply), { qos: 1 })
    const settings = { cameras: [{ name: 'secret' }] }
    await send(hub, admin, 'PUT', `/api/v1/devices/${device}/config`, { settings })
    const refused = { version: 1, hash: settingsHash(settings), status: 'rejected', error: 'secret: bad' }
    const reported = { v: 1, inForce: 0, at: Date.now(), settings: {}, ...refused } as ReportedConfig
    await agent.publishAsync(nodeTopic('cfg/reported', address), encodeJson(reported), { qos: 1 })
  }
  await hub.sendIncident({ incident: '01JD0000000000000000000001', camera: 'lobby' })
  await hub.sendIncident({ incident: '01JD0000000000000000000002', camera: 'yard' })
  const incident = { incident: '01JD0000000000000000000003', rule: 'secret', ruleName: 'secret' }
  await say('event', {
    ...{ v: 1, session: SESSION, seq: 1, phase: 'end', ...incident, rulesVersion: 1, severity: 'low' },
    ...{ camera: 'gate', at: 2, startedAt: 1, score: 0.1, peakScore: 0.9, frames: 2, bestFrame: 1 },
  })
  await told(ADMIN, 'incident', GATE)
  const image = (await photo('yard/07-puppy')).toString('base64')
  // The last one is everybody's: whoever heard of it has heard all.
  for (const place of [GATE, LOBBY, YARD]) {
    const [site, camera] = place.split(' ')
    const path = `/api/v1/index?site=${site}&node=brought&camera=${camera}`
    expect((await send(hub, admin, 'POST', path, [{ image }])).status).toBe(200)
  }
  for (const name of streams.keys()) await told(name, 'frame', YARD)
  const kinds = new Set(streams.get(ADMIN)!.events.map(({ kind }) => kind))
  expect([...kinds].sort()).toEqual([...LIVE_EVENTS].sort())
}

function told(name: string, kind: string, place: string): Promise<void> {
  return streams
    .get(name)!
    .until(({ events }) => events.some(event => event.kind === kind && placeOf(event) === place))
}

function say(type: 'state' | 'event', message: object): Promise<unknown> {
  return agent.publishAsync(nodeTopic(type, addressOf('depot/n9')), encodeJson(message), { qos: 1 })
}

function addressOf(device: string) {
  const [site = '', node = ''] = device.split('/')
  return { site, node }
}

function stateOf(cameras: readonly string[]): NodeState {
  return {
    ...{ v: 1, online: true, session: SESSION, at: Date.now(), agent: '1.0.0', provider: 'cpu' },
    ...{ fingerprint: 'a:000000000000', rulesVersion: 1, rulesGroup: 'default', configVersion: 0 },
    rulesError: 'camera secret has no such rule',
    cameras: cameras.map(camera => ({ camera, status: 'failed', lastFrameAt: null, error: camera })),
  }
}

interface Told {
  readonly kind: string
  // biome-ignore lint/suspicious/noExplicitAny: data of many shapes, each read by the kind that has it
  readonly data: any
}

function placeOf({ kind, data }: Told): string {
  if (kind === 'saved-search')
    return `${data.search.owner.replace('user:', '')}: ${data.frame.site} ${data.frame.camera}`
  if (kind === 'node') {
    const cameras = data.cameras.map(({ camera }: { camera: string }) => camera)
    return `${data.site} ${cameras.sort().join()}`
  }
  return data.camera === undefined ? data.site : `${data.site} ${data.camera}`
}

/** What one watcher is told. */
class Stream {
  text = ''
  readonly #gone = new AbortController()
  #heard: () => void = () => {}

  static async open(headers: Caller): Promise<Stream> {
    const stream = new Stream()
    const response = await fetch(`${hub.url}/api/v1/live`, { headers, signal: stream.#gone.signal })
    expect(response.status).toBe(200)
    void stream.#read(response.body!)
    return stream
  }

  /** Without the heartbeat. */
  get events(): Told[] {
    return [...this.text.matchAll(/^event: (?!alive)(.*)\ndata: (.*)\n\n/gm)].map(([, kind, data]) => ({
      kind: kind!,
      data: JSON.parse(data!),
    }))
  }

  /** Resolves when that is so; the limit of the test ends what never comes. */
  async until(satisfied: (stream: Stream) => boolean): Promise<void> {
    while (!satisfied(this)) {
      await new Promise<void>(resolve => {
        this.#heard = resolve
      })
    }
  }

  close(): void {
    this.#gone.abort()
  }

  async #read(body: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const chunk of body) {
        this.text += Buffer.from(chunk).toString()
        this.#heard()
      }
    } catch (error) {
      if (!this.#gone.signal.aborted) throw error
    }
  }
}
