import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, type IncidentEvent, systemClock } from '@sightline/core'
import { openFrameReader } from '@sightline/hub/store/frame-reader.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { Delivery, NewFrame, RecordStore } from '@sightline/hub/store/record-store.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const log = createLog({ name: 'test', level: 'silent' })

/** Every implementation of the port: how to open it on a directory of its own, twice in a row. */
const IMPLEMENTATIONS: readonly (readonly [name: string, open: (dir: string) => Promise<RecordStore>])[] = [
  ['LMDB', dir => openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })],
]

const SESSION = '01JD0000000000000000000000'
const INCIDENT = '01JD00000000000000000000AB'

function frame(seq: number, change: Partial<NewFrame> = {}): NewFrame {
  const vector = new Float32Array(8)
  vector[seq % 8] = 1
  return { seq, camera: 'yard', capturedAt: seq * 1000, vector, verdicts: [], ...change }
}

function delivery(frames: readonly NewFrame[], change: Partial<Delivery> = {}): Delivery {
  return {
    site: 'plant',
    node: 'dock',
    session: SESSION,
    fingerprint: 'mini:0123456789ab',
    historical: false,
    receivedAt: 5_000_000,
    frames,
    events: [],
    skipped: [],
    ...change,
  }
}

function event(
  seq: number,
  phase: IncidentEvent['phase'],
  change: Partial<IncidentEvent> = {},
): IncidentEvent {
  return {
    v: 1,
    session: SESSION,
    seq,
    phase,
    incident: INCIDENT,
    rule: 'fire',
    ruleName: 'Fire',
    rulesVersion: 1,
    severity: 'high',
    camera: 'yard',
    at: seq * 1000,
    startedAt: 1000,
    score: 0.5,
    peakScore: 0.5,
    frames: 1,
    bestFrame: 1,
    ...change,
  }
}

describe.each(IMPLEMENTATIONS)('record store: %s', (_name, open) => {
  let dir = ''
  let store: RecordStore
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'store-'))
    store = await open(dir)
  })
  afterEach(async () => {
    await store.close()
    await rm(dir, { recursive: true })
  })

  const reopen = async () => {
    await store.close()
    store = await open(dir)
  }

  it('gives back what it was given, also after reopening', async () => {
    const verdicts = [{ rule: 'fire', score: 0.9, similarity: 0.4, fired: true }]
    const thumbnail = Uint8Array.of(0xff, 0xd8, 0xff, 1)
    await store.append(delivery([frame(1, { verdicts, thumbnail }), frame(2)], { historical: true }))
    await reopen()
    const [second, first] = store.recent({}, 10)
    expect(first).toMatchObject({
      id: `plant~dock~${SESSION}~1`,
      seq: 1,
      verdicts,
      hasThumbnail: true,
      historical: true,
    })
    expect(second).toMatchObject({ seq: 2, hasThumbnail: false })
    expect(store.frame(first!.id)?.vector).toEqual(frame(1).vector)
    expect(store.frameByOrd(first!.ord)).toEqual(store.frame(first!.id))
    expect(new Uint8Array(store.thumbnail(first!.id)!)).toEqual(thumbnail)
    expect(store.thumbnail(second!.id)).toBeUndefined()
    expect(store.counts()).toEqual({ frames: 2, incidents: 0, thumbnails: 1 })
  })

  it('stores a record once, however often it comes, and says so', async () => {
    await store.append(delivery([frame(1), frame(2)]))
    const again = await store.append(delivery([frame(2), frame(2), frame(3)]))
    expect(again.frames.map(each => each.seq)).toEqual([3])
    expect(again.duplicates).toBe(2)
    expect(again.stored).toEqual({ upTo: 3, ranges: [] })
    expect(store.counts().frames).toBe(3)
  })

  it('knows what is stored beyond a gap, and lets skipped numbers close it', async () => {
    const ahead = await store.append(delivery([frame(5), frame(6)]))
    expect(ahead.stored).toEqual({ upTo: 0, ranges: [[5, 6]] })
    const closed = await store.append(delivery([frame(1)], { skipped: [[2, 4]] }))
    expect(closed.stored).toEqual({ upTo: 6, ranges: [] })
    await reopen()
    expect(store.stored('plant', 'dock', SESSION)).toEqual({ upTo: 6, ranges: [] })
    expect(store.stored('plant', 'dock', '01JD00000000000000000000ZZ')).toEqual({ upTo: 0, ranges: [] })
  })

  it('keeps sessions, nodes and sites apart', async () => {
    await store.append(delivery([frame(1)]))
    await store.append(delivery([frame(1)], { session: '01JD00000000000000000000ZZ' }))
    await store.append(delivery([frame(1)], { node: 'gate' }))
    await store.append(delivery([frame(1)], { site: 'office' }))
    expect(store.counts().frames).toBe(4)
  })

  it('numbers frames in the order of storage and never gives a number twice', async () => {
    const [a, b] = await Promise.all([store.append(delivery([frame(9)])), store.append(delivery([frame(1)]))])
    await reopen()
    const c = await store.append(delivery([frame(20)]))
    const ords = [a, b, c].map(result => result.frames[0]!.ord)
    expect(ords).toEqual([...ords].sort((x, y) => x - y))
    expect(new Set(ords).size).toBe(3)
    expect([...store.scan(ords[0]!)].map(each => each.seq)).toEqual([1, 20])
  })

  it('takes many deliveries at once and loses none', async () => {
    const results = await Promise.all(
      Array.from({ length: 200 }, (_, i) => store.append(delivery([frame(i + 1)]))),
    )
    expect(results.at(-1)!.stored).toEqual({ upTo: 200, ranges: [] })
    expect([...store.scan(0)]).toHaveLength(200)
  })

  it('lists the newest frames by name and time', async () => {
    await store.append(delivery([frame(1), frame(2, { camera: 'gate' }), frame(3)]))
    await store.append(delivery([frame(1, { capturedAt: 9_000 })], { node: 'other' }))
    const seqs = (filter: Parameters<RecordStore['recent']>[0], limit = 10) =>
      store.recent(filter, limit).map(each => `${each.node}${each.seq}`)
    expect(seqs({})).toEqual(['other1', 'dock3', 'dock2', 'dock1'])
    expect(seqs({ camera: 'yard' })).toEqual(['other1', 'dock3', 'dock1'])
    expect(seqs({ node: 'dock' }, 2)).toEqual(['dock3', 'dock2'])
    expect(seqs({ node: 'dock', camera: 'gate' })).toEqual(['dock2'])
    expect(seqs({ from: 2000, to: 9000 })).toEqual(['dock3', 'dock2'])
    expect(seqs({ site: 'nowhere' })).toEqual([])
  })

  it('lists by sites, by cameras in full, and by what the rules said', async () => {
    const verdict = (rule: string, fired: boolean) => ({ rule, fired, score: 0.5, similarity: 0.2 })
    await store.append(
      delivery([
        frame(1, { verdicts: [verdict('fire', true), verdict('smoke', false)] }),
        frame(2, { verdicts: [verdict('fire', false)], camera: 'gate' }),
        frame(3),
      ]),
    )
    await store.append(delivery([frame(4)], { site: 'office' }))
    const seqs = (filter: Parameters<RecordStore['recent']>[0]) =>
      store.recent(filter, 10).map(each => each.seq)
    expect(seqs({ sites: ['office', 'nowhere'] })).toEqual([4])
    expect(seqs({ cameras: ['plant/dock/gate', 'office/dock/yard'] })).toEqual([4, 2])
    expect(seqs({ cameras: [] })).toEqual([])
    expect(seqs({ rule: 'fire' })).toEqual([2, 1])
    expect(seqs({ rule: 'fire', fired: true })).toEqual([1])
    expect(seqs({ rule: 'smoke', fired: false })).toEqual([1])
    expect(seqs({ fired: true })).toEqual([1])
    expect(seqs({ fired: false, site: 'plant' })).toEqual([3, 2])
  })

  describe('deleting', () => {
    const thumbnail = new Uint8Array(100)
    beforeEach(async () => {
      await store.append(
        delivery(
          Array.from({ length: 20 }, (_, i) => frame(i + 1, { camera: i % 2 ? 'yard' : 'gate', thumbnail })),
        ),
      )
      await store.append(delivery([frame(1)], { node: 'other' }))
    })

    it('takes frames away with vectors, thumbnails and names, a step at a time, and for good', async () => {
      const filter = { node: 'dock', camera: 'gate', from: 0, to: 16_000 }
      const expected = { ords: [1, 3, 5, 7, 9], thumbnails: 5, bytes: 5 * (32 + 100), next: 9 }
      expect(store.measureFrames({ filter, after: 0, rows: 5 })).toMatchObject(expected)
      expect(store.counts().frames).toBe(21)
      const first = await store.deleteFrames({ filter, after: 0, rows: 5 })
      expect(first).toEqual({ ...expected, receivedFrom: 5_000_000 })
      const second = await store.deleteFrames({ filter, after: first.next!, rows: 50 })
      expect(second.ords).toEqual([11, 13, 15])
      expect(second.next).toBeUndefined()
      await reopen()
      expect(store.counts()).toMatchObject({ frames: 13, thumbnails: 12 })
      expect(store.recent({ camera: 'gate' }, 50).map(each => each.ord)).toEqual([19, 17])
      expect([...store.scan(0)].map(each => each.ord)).toEqual([
        2, 4, 6, 8, 10, 12, 14, 16, 17, 18, 19, 20, 21,
      ])
      const id = `plant~dock~${SESSION}~1`
      expect([store.frame(id), store.ordOf(id), store.frameByOrd(1), store.thumbnail(id)]).toEqual(
        Array(4).fill(undefined),
      )
      const again = await store.append(
        delivery([frame(1, { camera: 'gate' }), frame(21, { camera: 'gate' })]),
      )
      expect(again.frames.map(each => [each.ord, each.seq])).toEqual([[22, 21]])
    })

    it('knows the numbers that are left, of all and of one camera, and the newest ever given', async () => {
      const camera = { site: 'plant', node: 'dock', camera: 'gate' }
      expect(store.ords({ limit: 3 })).toEqual([1, 2, 3])
      expect(store.ords({ camera, after: 3, upTo: 9, limit: 99 })).toEqual([5, 7, 9])
      expect(store.ords({ camera, newestFirst: true, upTo: 10, limit: 3 })).toEqual([9, 7, 5])
      expect(store.ords({ newestFirst: true, limit: 2 })).toEqual([21, 20])
      await store.deleteFrames({ filter: { node: 'other' }, after: 0, rows: 99 })
      expect(store.ords({ newestFirst: true, limit: 1 })).toEqual([20])
      expect(store.lastOrd()).toBe(21)
    })

    it('blurs and takes away thumbnails without their frames', async () => {
      const listed = store.pictures(0, 2)
      expect(listed).toMatchObject([
        { ord: 1, id: `plant~dock~${SESSION}~1`, site: 'plant', blurred: false },
        { ord: 2 },
      ])
      const blurred = Uint8Array.of(1, 2, 3)
      await store.deleteFrames({ filter: {}, after: 2, upTo: 3, rows: 1 })
      await store.putPictures([
        { ord: 1, thumbnail: blurred },
        { ord: 2, thumbnail: undefined },
        { ord: 3, thumbnail: blurred },
        { ord: 21, thumbnail: blurred },
      ])
      await reopen()
      expect(store.pictures(0, 2).map(({ ord, blurred }) => [ord, blurred])).toEqual([
        [1, true],
        [4, false],
      ])
      expect(new Uint8Array(store.thumbnail(listed[0]!.id)!)).toEqual(blurred)
      expect(store.frameByOrd(2)).toMatchObject({ hasThumbnail: false })
      // Neither a frame that is gone nor one without a thumbnail gets one.
      expect(store.counts()).toMatchObject({ frames: 20, thumbnails: 18 })
    })

    it('forgets a camera without frames, and leaves frames above the limit', async () => {
      await store.deleteFrames({ filter: { camera: 'gate' }, after: 0, upTo: 9, rows: 99 })
      expect(store.cameras()).toContainEqual({ site: 'plant', node: 'dock', camera: 'gate' })
      expect(store.ords({ limit: 99 })).toContain(11)
      await store.deleteFrames({ filter: { camera: 'gate' }, after: 0, rows: 99 })
      expect(
        store
          .cameras()
          .map(each => `${each.node}/${each.camera}`)
          .sort(),
      ).toEqual(['dock/yard', 'other/yard'])
    })

    it('takes incidents that are over within the time, with their reviews, and nodes', async () => {
      const of = (id: string, seq: number, phase: IncidentEvent['phase'], at: number) =>
        event(seq, phase, { incident: `01JD000000000000000000000${id}`, startedAt: at, at: at + 500 })
      await store.append(
        delivery([], {
          events: [of('A', 31, 'end', 1000), of('B', 32, 'new', 1800), of('C', 33, 'end', 5000)],
        }),
      )
      const review = {
        incident: '01JD000000000000000000000A',
        verdict: 'confirm',
        rule: null,
        note: null,
      } as const
      await store.putReview({ ...review, at: 1, labels: [{ frame: 'x', rule: 'fire', positive: true }] })
      expect(await store.deleteIncidents({ site: 'plant', to: 2000 }, 9)).toEqual({
        incidents: 1,
        reviews: 1,
        more: false,
      })
      expect(store.incidents({}, 9).map(each => each.id.at(-1))).toEqual(['C', 'B'])
      expect(store.labels({}, 9)).toEqual([])
      expect(await store.deleteIncidents({}, 1)).toMatchObject({ incidents: 1, more: true })
      expect(await store.deleteNode('plant', 'dock')).toBe(true)
      expect(await store.deleteNode('plant', 'dock')).toBe(false)
      expect(store.nodes().map(each => each.node)).toEqual(['other'])
    })
  })

  it('folds the life of an incident in whatever order its events come', async () => {
    const steps = [
      event(2, 'new', { score: 0.6, peakScore: 0.6, bestFrame: 1 }),
      event(5, 'update', { score: 0.9, peakScore: 0.9, frames: 3, bestFrame: 4 }),
      event(8, 'end', { score: 0.2, peakScore: 0.9, frames: 4, bestFrame: 4 }),
    ]
    const orders = [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0, 1, 2],
    ]
    for (const [i, order] of orders.entries()) {
      const node = `n${i}`
      const incident = `01JD00000000000000000000A${i}`
      for (const at of order) {
        await store.append(delivery([], { node, events: [{ ...steps[at]!, incident }] }))
      }
      expect(store.incident(incident)).toEqual({
        id: incident,
        site: 'plant',
        node,
        camera: 'yard',
        rule: 'fire',
        ruleName: 'Fire',
        rulesVersion: 1,
        severity: 'high',
        startedAt: 1000,
        updatedAt: 8000,
        endedAt: 8000,
        peakScore: 0.9,
        frames: 4,
        bestFrameId: `plant~${node}~${SESSION}~4`,
      })
    }
  })

  it('lists incidents newest first, by rule, camera, time and whether they go on', async () => {
    const open1 = event(1, 'new', { incident: '01JD000000000000000000000A', startedAt: 1000 })
    const done = event(2, 'end', { incident: '01JD000000000000000000000B', startedAt: 2000, rule: 'smoke' })
    const open2 = event(3, 'new', { incident: '01JD000000000000000000000C', startedAt: 3000, camera: 'gate' })
    await store.append(delivery([], { events: [open1, done, open2] }))
    const ids = (filter: Parameters<RecordStore['incidents']>[0], limit = 10) =>
      store.incidents(filter, limit).map(each => each.id.at(-1))
    expect(ids({})).toEqual(['C', 'B', 'A'])
    expect(ids({}, 1)).toEqual(['C'])
    expect(ids({ open: true })).toEqual(['C', 'A'])
    expect(ids({ open: false })).toEqual(['B'])
    expect(ids({ rule: 'smoke' })).toEqual(['B'])
    expect(ids({ camera: 'gate' })).toEqual(['C'])
    expect(ids({ from: 2000, to: 3000 })).toEqual(['B'])
  })

  it('shows its frames to another reader, what comes later included', async () => {
    await store.append(delivery([frame(1), frame(2)]))
    const reader = openFrameReader(structuredClone(store.frameSource()))
    const read = (after: number, upTo: number) => {
      const seen: [number, number, Float32Array][] = []
      reader.visit(after, upTo, (ord, { seq }, vector) =>
        seen.push([ord, seq, new Float32Array(new Uint8Array(vector().subarray(0, 32)).buffer)]),
      )
      return seen
    }
    const ords = [...store.scan(0)].map(each => each.ord)
    expect(read(0, 100)).toEqual([1, 2].map((seq, i) => [ords[i], seq, frame(seq).vector]))
    expect(read(ords[0]!, ords[1]!)).toHaveLength(1)
    await store.append(delivery([frame(3)]))
    await new Promise(resolve => setImmediate(resolve))
    expect(read(ords[1]!, 100).map(([, seq]) => seq)).toEqual([3])
    await reader.close()
    expect((await store.append(delivery([frame(4)]))).frames).toHaveLength(1)
  })

  it("tells a frame's number by its id", async () => {
    const [stored] = (await store.append(delivery([frame(1)]))).frames
    expect(store.ordOf(stored!.id)).toBe(stored!.ord)
    expect(store.ordOf('plant~dock~none~1')).toBeUndefined()
  })

  it('keeps what people said of incidents, replaces it and takes it back', async () => {
    const positive = { frame: 'plant~dock~S~1', rule: 'fire', positive: true }
    const negative = { ...positive, positive: false }
    const other = { frame: 'plant~dock~S~1', rule: 'smoke', positive: true }
    const confirm = {
      incident: 'A',
      verdict: 'confirm',
      rule: null,
      note: null,
      at: 10,
      labels: [positive],
    } as const
    const relabel = {
      incident: 'B',
      verdict: 'relabel',
      rule: 'smoke',
      note: 'only smoke',
      at: 20,
      labels: [negative, other],
    } as const
    await store.putReview(confirm)
    await store.putReview(relabel)
    await reopen()
    expect(store.review('A')).toEqual(confirm)
    expect(store.review('B')).toEqual(relabel)
    expect(store.labels({}, 10)).toEqual([
      { ...negative, incident: 'B', at: 20 },
      { ...other, incident: 'B', at: 20 },
      { ...positive, incident: 'A', at: 10 },
    ])
    expect(store.labels({ rule: 'fire' }, 10).map(each => each.incident)).toEqual(['B', 'A'])
    expect(store.labels({ rule: 'smoke' }, 10)).toEqual([{ ...other, incident: 'B', at: 20 }])
    expect(store.labels({}, 1)).toHaveLength(1)

    await store.putReview({ ...relabel, verdict: 'dismiss', rule: null, at: 30, labels: [negative] })
    expect(store.labels({ rule: 'smoke' }, 10)).toEqual([])
    expect(store.labels({ rule: 'fire' }, 10).map(each => each.at)).toEqual([30, 10])
    expect(await store.removeReview('A')).toEqual(confirm)
    expect(await store.removeReview('A')).toBeUndefined()
    expect(store.review('A')).toBeUndefined()
    expect(store.labels({}, 10).map(each => each.incident)).toEqual(['B'])
  })

  it('lists incidents by whether they were reviewed', async () => {
    const incident = '01JD000000000000000000000A'
    await store.append(delivery([], { events: [event(1, 'new', { incident })] }))
    await store.append(delivery([], { events: [event(2, 'new')] }))
    await store.putReview({ incident, verdict: 'dismiss', rule: null, note: null, at: 1, labels: [] })
    expect(store.incidents({ reviewed: true }, 10).map(each => each.id)).toEqual([incident])
    expect(store.incidents({ reviewed: false }, 10).map(each => each.id)).toEqual([INCIDENT])
  })

  it('remembers devices: data, messages and state apart', async () => {
    await store.updateNode('plant', 'dock', { seenAt: 10 })
    expect(store.nodes()).toEqual([
      {
        site: 'plant',
        node: 'dock',
        firstSeenAt: 10,
        lastSeenAt: 10,
        lastDataAt: null,
        state: null,
        stats: null,
      },
    ])
    await store.append(delivery([frame(1)], { receivedAt: 20 }))
    await store.updateNode('plant', 'dock', { seenAt: 15 })
    await reopen()
    expect(store.nodes()).toMatchObject([{ firstSeenAt: 10, lastSeenAt: 20, lastDataAt: 20 }])
  })

  it('keeps the rules', async () => {
    expect(store.rules()).toBeUndefined()
    await store.putRules({ version: 3, updatedAt: 7, rules: [] })
    await reopen()
    expect(store.rules()).toEqual({ version: 3, updatedAt: 7, rules: [] })
  })

  it('keeps the newest 1000 quarantined payloads', async () => {
    const entry = (bytes: number) => ({ at: 1, topic: 't', reason: 'r', head: Uint8Array.of(1), bytes })
    await Promise.all(Array.from({ length: 1005 }, (_, i) => store.quarantine(entry(i))))
    const kept = store.quarantined()
    expect(kept).toHaveLength(1000)
    expect([kept[0]!.bytes, kept.at(-1)!.bytes]).toEqual([1004, 5])
    expect(await store.deleteQuarantined(({ bytes }) => bytes >= 10)).toBe(995)
    expect(store.quarantined().map(({ bytes }) => bytes)).toEqual([9, 8, 7, 6, 5])
  })
})

describe('record store: LMDB on a full disk', () => {
  it('refuses before the disk is quite full, and goes on when there is room again', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'store-'))
    const tooMuch = await openLmdbStore({
      dir,
      clock: systemClock,
      log,
      minFreeBytes: Number.MAX_SAFE_INTEGER,
    })
    await expect(tooMuch.append(delivery([frame(1)]))).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(tooMuch.counts().frames).toBe(0)
    await tooMuch.close()
    const roomy = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
    await expect(roomy.append(delivery([frame(1)]))).resolves.toMatchObject({ stored: { upTo: 1 } })
    await roomy.close()
    await rm(dir, { recursive: true })
  })
})
