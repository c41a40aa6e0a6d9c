import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Ack,
  type Clock,
  createLog,
  encodeJson,
  encodeMessagePack,
  nodeTopic,
  systemClock,
} from '@sightline/core'
import type { OutgoingMessage } from '@sightline/hub/ingest/ack-sender.js'
import { Ingest } from '@sightline/hub/ingest/ingest.js'
import { PictureGate } from '@sightline/hub/privacy/picture-gate.js'
import { PictureRules } from '@sightline/hub/privacy/settings.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import sharp from 'sharp'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ADDRESS, batchOf, eventOf, SESSION, stateOf } from './messages.ts'

const EMB = nodeTopic('emb', ADDRESS)

let dir = ''
let store: RecordStore
let ingest: Ingest
let published: OutgoingMessage[]
let publish: (message: OutgoingMessage) => Promise<void>
let lines: { level: number; msg: string; leftOut?: number }[]
let monotonicMs: number
let pictures: PictureGate

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ingest-'))
  lines = []
  monotonicMs = 0
  const log = createLog({
    name: 'test',
    level: 'warn',
    destination: { write: line => void lines.push(JSON.parse(line)) },
  })
  const clock: Clock = { ...systemClock, monotonic: () => monotonicMs }
  store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
  published = []
  publish = async message => void published.push(message)
  pictures = new PictureGate({ rules: new PictureRules({ policy: 'full', days: 0, sites: [] }) })
  ingest = new Ingest({ store, publish: message => publish(message), pictures, clock, log })
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true })
})

const acks = () => published.map(({ payload }): Ack => JSON.parse(Buffer.from(payload).toString()))

it('tells that it is in trouble from a refusal of the store until it stores again', async () => {
  expect(ingest.trouble).toBeUndefined()
  const log = createLog({ name: 'test', level: 'silent' })
  const full = await openLmdbStore({
    dir: join(dir, 'full'),
    clock: systemClock,
    log,
    minFreeBytes: Number.MAX_SAFE_INTEGER,
  })
  const clock: Clock = { ...systemClock, monotonic: () => monotonicMs }
  let target: RecordStore = full
  const append: RecordStore['append'] = delivery => target.append(delivery)
  const either = new Proxy(full, { get: (of, name) => (name === 'append' ? append : Reflect.get(of, name)) })
  const refusing = new Ingest({ store: either, publish: async () => {}, clock, log })
  await expect(refusing.accept(EMB, batchOf([1]))).rejects.toMatchObject({ code: 'STORE_FAILED' })
  expect(refusing.trouble).toBe('STORE_FAILED')
  target = store
  await refusing.accept(EMB, batchOf([1]))
  expect(refusing.trouble).toBeUndefined()
  target = full
  await expect(refusing.accept(EMB, batchOf([2]))).rejects.toMatchObject({ code: 'STORE_FAILED' })
  // Nobody came back: an old refusal says nothing about now.
  monotonicMs += 121_000
  expect(refusing.trouble).toBeUndefined()
  await full.close()
})

describe('acknowledgements', () => {
  it('go to the device, at QoS 1, not retained', async () => {
    await ingest.accept(EMB, batchOf([1, 2]))
    await vi.waitFor(() => expect(published).toHaveLength(1))
    expect(published[0]).toMatchObject({ topic: nodeTopic('ack', ADDRESS), qos: 1, retain: false })
    expect(acks()).toEqual([{ v: 1, session: SESSION, upTo: 2, ranges: [] }])
  })

  it('are one at a time per session: while one is on its way only the newest waits', async () => {
    let release = () => {}
    const gate = new Promise<void>(resolve => {
      release = resolve
    })
    publish = async message => {
      published.push(message)
      await gate
    }
    for (let seq = 1; seq <= 5; seq++) await ingest.accept(EMB, batchOf([seq]))
    expect(acks().map(ack => ack.upTo)).toEqual([1])
    release()
    await vi.waitFor(() => expect(acks().map(ack => ack.upTo)).toEqual([1, 5]))
  })

  it('name what came, however many gaps there are before it, 256 ranges at a time', async () => {
    const odd = Array.from({ length: 600 }, (_, i) => 3 + 2 * i)
    await ingest.accept(EMB, batchOf(odd))
    await vi.waitFor(() => expect(acks().map(({ ranges }) => ranges.length)).toEqual([256, 256, 88]))
    expect(acks().flatMap(({ ranges }) => ranges)).toEqual(odd.map(seq => [seq, seq]))
    await ingest.accept(EMB, batchOf([2001]))
    await vi.waitFor(() => expect(acks().at(-1)?.ranges).toEqual([[2001, 2001]]))
    // Sent again, for the ack was lost: told again.
    await ingest.accept(EMB, batchOf([1199, 2001]))
    await vi.waitFor(() =>
      expect(acks().at(-1)?.ranges).toEqual([
        [1199, 1199],
        [2001, 2001],
      ]),
    )
    expect(store.stored('plant', 'dock', SESSION).ranges).toHaveLength(601)
  })

  it('name the first 256 ranges to a device that is back', async () => {
    await ingest.accept(EMB, batchOf(Array.from({ length: 300 }, (_, i) => 3 + 2 * i)))
    await vi.waitFor(() => expect(published).toHaveLength(2))
    await ingest.accept(nodeTopic('state', ADDRESS), stateOf())
    await vi.waitFor(() => expect(acks().slice(2)).toMatchObject([{ upTo: 0, ranges: { length: 256 } }]))
  })

  it('name what a message that cannot be used carried: its device does not send it for ever', async () => {
    const event = { v: 1, session: SESSION, seq: 1, phase: 'never heard of' }
    await ingest.accept(nodeTopic('event', ADDRESS), encodeJson(event))
    await vi.waitFor(() => expect(acks().at(-1)?.upTo).toBe(1))
    const batch = { v: 1, session: SESSION, items: [{ seq: 2 }, { seq: 3, camera: 'yard' }] }
    await ingest.accept(EMB, encodeMessagePack(batch))
    await vi.waitFor(() => expect(acks().at(-1)?.upTo).toBe(3))
    expect(ingest.stats).toMatchObject({ quarantined: 2, frames: 0, events: 0 })
    // A newer agent keeps what this hub does not understand.
    await ingest.accept(nodeTopic('event', ADDRESS), encodeJson({ ...event, v: 2, seq: 4 }))
    expect(store.stored('plant', 'dock', SESSION).upTo).toBe(3)
  })

  it('may fail to go out: the record is stored, and the next one tells', async () => {
    publish = async () => Promise.reject(new RangeError('no broker'))
    await ingest.accept(EMB, batchOf([1]))
    publish = async message => void published.push(message)
    await ingest.accept(EMB, batchOf([1]))
    await vi.waitFor(() => expect(acks()).toMatchObject([{ upTo: 1 }]))
    expect(ingest.stats).toMatchObject({ frames: 1, duplicates: 1, failures: 0 })
  })
})

describe('what cannot be used', () => {
  it.each([
    ['no JSON', nodeTopic('event', ADDRESS), Buffer.from('{')],
    ['an event of another schema', nodeTopic('event', ADDRESS), encodeJson({ v: 9 })],
    ['a state of another schema', nodeTopic('state', ADDRESS), encodeJson({ online: 'yes' })],
    ['stats of another schema', nodeTopic('stats', ADDRESS), encodeJson([])],
    ['an empty batch payload', EMB, Buffer.alloc(0)],
    ['a topic that is no uplink', 'sightline/v1/plant/rules/dock', batchOf([1])],
  ])('is quarantined: %s', async (_what, topic, payload) => {
    await ingest.accept(topic, payload)
    expect(ingest.stats).toMatchObject({ quarantined: 1, failures: 0 })
    expect(store.quarantined()).toMatchObject([{ topic, bytes: payload.byteLength }])
    expect(store.counts().frames).toBe(0)
  })

  it('is kept by its first 4 KiB', async () => {
    await ingest.accept(EMB, Buffer.alloc(100_000, 'x'))
    expect(store.quarantined()[0]).toMatchObject({ bytes: 100_000 })
    expect(store.quarantined()[0]?.head.byteLength).toBe(4096)
  })

  it('is logged once in ten seconds, with the number of those left out', async () => {
    for (let i = 0; i < 50; i++) await ingest.accept(EMB, Buffer.from('rubbish'))
    monotonicMs += 10_000
    await ingest.accept(EMB, Buffer.from('rubbish'))
    const warned = lines.filter(line => line.msg === 'payload quarantined')
    expect(warned.map(line => line.leftOut)).toEqual([undefined, 49])
  })

  it("is an event for another device's incident, whose record stays as it was", async () => {
    const topic = nodeTopic('event', ADDRESS)
    await ingest.accept(topic, encodeJson(eventOf()))
    await ingest.accept(
      nodeTopic('event', { ...ADDRESS, node: 'thief' }),
      encodeJson(eventOf({ phase: 'end' })),
    )
    expect(ingest.stats).toMatchObject({ events: 1, quarantined: 1, failures: 0 })
    expect(store.incident(eventOf().incident)).toMatchObject({ node: 'dock', endedAt: null })
  })

  it('is a thumbnail above 128 KiB; its frame is stored', async () => {
    const vector = Buffer.from(Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0).buffer)
    const picture = await sharp({ create: { width: 16, height: 9, channels: 3, background: '#777' } })
      .jpeg()
      .toBuffer()
    // Comments make it larger; none is kept.
    const comment = Buffer.concat([Buffer.of(0xff, 0xfe, 0xff, 0xff), Buffer.alloc(65_533)])
    const head = Buffer.concat([picture.subarray(0, 2), comment])
    const rest = 128 * 1024 - head.length - 4 - (picture.length - 2)
    const jpeg = (extra: number) =>
      Buffer.concat([
        head,
        Buffer.of(0xff, 0xfe, (rest + extra + 2) >> 8, (rest + extra + 2) & 255),
        Buffer.alloc(rest + extra),
        picture.subarray(2),
      ])
    expect(jpeg(0)).toHaveLength(128 * 1024)
    const item = { camera: 'yard', capturedAt: 1, vector, verdicts: [] }
    const items = [
      { ...item, seq: 1, thumbnail: jpeg(0) },
      { ...item, seq: 2, thumbnail: jpeg(1) },
    ]
    await ingest.accept(EMB, batchOf([], { items }))
    expect(store.counts()).toMatchObject({ frames: 2, thumbnails: 1 })
    expect(pictures.stats).toMatchObject({ refused: 1, cleaned: 1 })
  })
})

describe('listeners', () => {
  it('hear of new records only', async () => {
    const seqs: number[][] = []
    const off = ingest.on('stored', ({ frames }) => seqs.push(frames.map(frame => frame.seq)))
    await ingest.accept(EMB, batchOf([1, 2]))
    await ingest.accept(EMB, batchOf([2, 3]))
    off()
    await ingest.accept(EMB, batchOf([4]))
    expect(seqs).toEqual([[1, 2], [3]])
  })

  it('may fail: what is stored stays acknowledged, and the others hear of it', async () => {
    const heard = vi.fn()
    ingest.on('stored', () => {
      throw new RangeError('listener')
    })
    ingest.on('stored', heard)
    await ingest.accept(EMB, batchOf([1]))
    expect(heard).toHaveBeenCalledOnce()
    expect(ingest.stats).toMatchObject({ frames: 1, failures: 0 })
    expect(lines.map(line => line.msg)).toContain('listener failed')
  })

  it('hear of devices, and an emptied retained state changes nothing', async () => {
    const online: (boolean | undefined)[] = []
    ingest.on('node', node => online.push(node.state?.online))
    const topic = nodeTopic('state', ADDRESS)
    await ingest.accept(topic, stateOf())
    await ingest.accept(topic, Buffer.alloc(0))
    await ingest.accept(topic, stateOf({ online: false }))
    expect(online).toEqual([true, false])
    expect(ingest.stats.quarantined).toBe(0)
  })
})
