import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect as connectSocket, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Ack,
  createLog,
  encodeMessagePack,
  nodeTopic,
  systemClock,
  vectorToBytes,
} from '@sightline/core'
import { Broker } from '@sightline/hub/broker/broker.js'
import { Ingest } from '@sightline/hub/ingest/ingest.js'
import { PictureGate } from '@sightline/hub/privacy/picture-gate.js'
import { PictureRules } from '@sightline/hub/privacy/settings.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { connectAsync, type MqttClient } from 'mqtt'
import { generate } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stateOf } from '../ingest/messages.ts'
import { MQTT_LIMITS } from '../support/mqtt-settings.ts'
import { nextEvent } from '../support/next-event.ts'

const log = createLog({ name: 'test', level: 'silent' })
const SESSION = '01JD0000000000000000000000'
const address = { site: 'plant', node: 'dock' }
const MAX_PACKET_BYTES = 64 * 1024

let dir = ''
let store: RecordStore
let ingest: Ingest
let pictures: PictureGate
let broker: Broker
const clients: MqttClient[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'broker-'))
  store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
  pictures = new PictureGate({ rules: new PictureRules({ policy: 'full', days: 0, sites: [] }) })
  ingest = new Ingest({
    store,
    publish: message => broker.publish(message),
    pictures,
    clock: systemClock,
    log,
  })
  const settings = {
    host: '127.0.0.1',
    port: 0,
    maxPacketBytes: MAX_PACKET_BYTES,
    maxConnections: 20,
    ...MQTT_LIMITS,
  }
  broker = new Broker({ settings, ingest, log })
  await broker.start()
})

afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true)
  await broker.stop()
  await store.close()
  await rm(dir, { recursive: true })
})

async function client(clientId: string): Promise<MqttClient> {
  const connected = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { clientId, reconnectPeriod: 0 })
  clients.push(connected)
  return connected
}

function batch(seqs: readonly number[], change: object = {}): Buffer {
  const vector = vectorToBytes(Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0))
  const items = seqs.map(seq => ({ seq, camera: 'yard', capturedAt: seq, vector, verdicts: [] }))
  const header = {
    v: 1,
    session: SESSION,
    fingerprint: 'f',
    dim: 8,
    dtype: 'f32',
    historical: false,
    skipped: [],
  }
  return Buffer.from(encodeMessagePack({ ...header, items, ...change }))
}

/** The next acknowledgement that satisfies `wanted`. */
async function acks(device: MqttClient): Promise<(wanted: (ack: Ack) => boolean) => Promise<Ack>> {
  const seen: Ack[] = []
  let wake = () => {}
  device.on('message', (_topic, payload) => {
    seen.push(JSON.parse(payload.toString()))
    wake()
  })
  await device.subscribeAsync(nodeTopic('ack', address), { qos: 1 })
  return async wanted => {
    for (;;) {
      const found = seen.find(wanted)
      if (found !== undefined) return found
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
}

async function rawSocket(): Promise<Socket> {
  const socket = connectSocket(broker.port, '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}

const connectPacket = (clientId: string) =>
  generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId, keepalive: 60 })

it('delivers a message that a later one got past', async () => {
  const device = await client('plant~dock')
  await device.subscribeAsync(['sightline/v1/plant/rules/#', nodeTopic('ack', address)], { qos: 1 })
  const heard: string[] = []
  device.on('message', (_topic, payload) => heard.push(payload.toString()))
  const topic = 'sightline/v1/plant/rules/all/f'
  const messages = [
    // A retained message takes a step more than one that is not, and QoS 1 one more than QoS 0.
    { topic, payload: Buffer.from('retained'), qos: 1, retain: true },
    { topic: nodeTopic('ack', address), payload: Buffer.from('QoS 1'), qos: 1, retain: false },
    { topic: nodeTopic('ack', address), payload: Buffer.from('QoS 0'), qos: 0, retain: false },
  ] as const
  await Promise.all(messages.map(message => broker.publish(message)))
  await vi.waitFor(() => expect(heard.sort()).toEqual(['QoS 0', 'QoS 1', 'retained']))
})

describe('ingest over MQTT', () => {
  it('has stored what it acknowledges, at PUBACK already', async () => {
    const device = await client('plant.dock')
    await device.publishAsync(nodeTopic('emb', address), batch([1, 2, 3]), { qos: 1 })
    expect(store.stored('plant', 'dock', SESSION)).toEqual({ upTo: 3, ranges: [] })
    expect(ingest.stats).toMatchObject({ messages: 1, frames: 3, duplicates: 0 })
  })

  it('acknowledges per session what is stored, gaps included', async () => {
    const device = await client('plant.dock')
    const ack = await acks(device)
    await device.publishAsync(nodeTopic('emb', address), batch([1, 4, 5]), { qos: 1 })
    expect(await ack(each => each.upTo === 1)).toEqual({ v: 1, session: SESSION, upTo: 1, ranges: [[4, 5]] })
    await device.publishAsync(nodeTopic('emb', address), batch([], { skipped: [[2, 3]] }), { qos: 1 })
    expect(await ack(each => each.upTo === 5)).toMatchObject({ ranges: [] })
  })

  it('repeats the acknowledgement to an agent that comes back', async () => {
    const device = await client('plant.dock')
    await device.publishAsync(nodeTopic('emb', address), batch([1, 2]), { qos: 1 })
    const ack = await acks(device)
    await device.publishAsync(nodeTopic('state', address), stateOf(), { qos: 1, retain: true })
    expect(await ack(each => each.upTo === 2)).toBeDefined()
    expect(store.nodes()[0]?.state?.online).toBe(true)
  })

  it('quarantines what it cannot read, acknowledges it, and goes on', async () => {
    const device = await client('plant.dock')
    const topic = nodeTopic('emb', address)
    for (const payload of [Buffer.from('rubbish'), batch([1], { v: 2 })]) {
      await device.publishAsync(topic, payload, { qos: 1 })
    }
    await device.publishAsync(topic, batch([1]), { qos: 1 })
    expect(ingest.stats).toMatchObject({ quarantined: 2, frames: 1, failures: 0 })
    expect(store.quarantined().map(entry => entry.topic)).toEqual([topic, topic])
  })

  it('quarantines one bad vector alone and counts it as received', async () => {
    const device = await client('plant.dock')
    const item = (seq: number, vector: Float32Array) => ({
      seq,
      camera: 'yard',
      capturedAt: 1,
      vector: vectorToBytes(vector),
      verdicts: [],
    })
    const good = Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0)
    const items = [item(1, good), item(2, new Float32Array(8)), item(3, good)]
    await device.publishAsync(nodeTopic('emb', address), batch([], { items }), { qos: 1 })
    expect(store.counts().frames).toBe(2)
    expect(store.stored('plant', 'dock', SESSION)).toEqual({ upTo: 3, ranges: [] })
    expect(store.quarantined()).toMatchObject([{ reason: expect.stringContaining('norm 0') }])
  })

  it('leaves out a thumbnail that is no JPEG and keeps the frame', async () => {
    const device = await client('plant.dock')
    const vector = vectorToBytes(Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0))
    const item = {
      seq: 1,
      camera: 'yard',
      capturedAt: 1,
      vector,
      verdicts: [],
      thumbnail: Buffer.from('<svg>'),
    }
    await device.publishAsync(nodeTopic('emb', address), batch([], { items: [item] }), { qos: 1 })
    expect(store.counts()).toEqual({ frames: 1, incidents: 0, thumbnails: 0 })
    expect(pictures.stats.refused).toBe(1)
  })

  it('does not acknowledge what could not be stored', async () => {
    const device = await client('plant.dock')
    await store.close()
    device.publish(nodeTopic('emb', address), batch([1]), { qos: 1 })
    await nextEvent(device, 'close')
    expect(ingest.stats).toMatchObject({ failures: 1, frames: 0 })
    store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
    expect(store.stored('plant', 'dock', SESSION).upTo).toBe(0)
  })
})

describe('the broker', () => {
  it('cuts off an oversize packet by its header and nobody else', async () => {
    const bystander = await client('plant.other')
    const socket = await rawSocket()
    socket.write(connectPacket('big'))
    await once(socket, 'data')
    // PUBLISH, 200 MB announced, then only its first bytes.
    socket.write(Uint8Array.of(0x32, 0x80, 0x84, 0xaf, 0x5f, 0, 1, 0x61))
    await once(socket, 'close')
    expect(broker.stats.oversize).toBe(1)
    await bystander.publishAsync(nodeTopic('emb', { site: 'plant', node: 'other' }), batch([1]), { qos: 1 })
    expect(store.counts().frames).toBe(1)
  })

  it.each([
    '$SYS/broker/new/clients',
    'sightline/v1/plant/ack/dock',
    'sightline/v1/plant/rules/all/x',
    'other/topic',
  ])('lets no device publish to %s', async topic => {
    const forger = await client('forger')
    const heard: string[] = []
    const victim = await client('victim')
    victim.on('message', (_topic, payload) => heard.push(payload.toString()))
    await victim.subscribeAsync('sightline/v1/plant/#', { qos: 1 })
    forger.publish(topic, 'forged', { qos: 1 })
    await nextEvent(forger, 'close')
    await victim.publishAsync(nodeTopic('emb', address), batch([1]), { qos: 1 })
    expect(victim.connected).toBe(true)
    expect(heard).not.toContain('forged')
  })

  it('answers a refused subscription with 0x80', async () => {
    const device = await client('plant.dock')
    const granted = await device
      .subscribeAsync(['$SYS/#', nodeTopic('ack', address)], { qos: 1 })
      .catch(error => error)
    // mqtt.js reports the refusal as an error; the allowed one of the two is granted all the same.
    expect(String(granted)).toMatch(/128|Unspecified|0x80|Subscribe error/i)
    const heard = nextEvent(device, 'message')
    await device.publishAsync(nodeTopic('emb', address), batch([1]), { qos: 1 })
    expect((await heard)[0]).toBe(nodeTopic('ack', address))
  })

  it('refuses an empty client id without clean session with code 2 (MQTT-3.1.3-8)', async () => {
    const socket = await rawSocket()
    const packet = connectPacket('')
    // Connect flags stand after the fixed header (2 bytes), the protocol name (6) and its level (1).
    packet[9] = 0
    socket.write(packet)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect([...answer]).toEqual([0x20, 2, 0, 2])
    socket.destroy()
  })

  it('keeps what is retained for those who come later', async () => {
    const topic = 'sightline/v1/plant/rules/all/mini:0123456789ab'
    await broker.publish({ topic, payload: Buffer.from('bundle'), qos: 1, retain: true })
    const device = await client('plant.dock')
    const heard = nextEvent(device, 'message')
    await device.subscribeAsync(topic, { qos: 1 })
    expect((await heard)[1]?.toString()).toBe('bundle')
  })

  it('says when its port is taken, and stops twice without complaint', async () => {
    const settings = {
      host: '127.0.0.1',
      port: broker.port,
      maxPacketBytes: 1024,
      maxConnections: 1,
      ...MQTT_LIMITS,
    }
    const second = new Broker({ settings, ingest, log })
    await expect(second.start()).rejects.toMatchObject({ code: 'PORT_IN_USE' })
    await second.stop()
    await broker.stop()
  })
})
