import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bareJpeg, type CommandReply, checkConfig, createLog, decodeImage } from '@sightline/core'
import { Ingest } from '@sightline/hub/ingest/ingest.js'
import { PictureGate } from '@sightline/hub/privacy/picture-gate.js'
import { PictureSweep } from '@sightline/hub/privacy/picture-sweep.js'
import { PictureRules, type ThumbnailSettings } from '@sightline/hub/privacy/settings.js'
import { checkHubSettings, HubSettings } from '@sightline/hub/settings.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import sharp, { type Sharp } from 'sharp'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'
import { batchOf } from '../ingest/messages.ts'

const DAY = 86_400_000
const log = createLog({ name: 'test', level: 'silent' })
const UNIT = Buffer.from(Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0).buffer)
const GPS = {
  IFD0: { Copyright: 'secret' },
  IFD3: { GPSLatitude: '51/1 30/1 0/1', GPSLatitudeRef: 'N', GPSLongitude: '0/1 7/1 0/1' },
}

let stripes: Sharp
let plain: Buffer
let placed: Buffer
beforeAll(async () => {
  const pixels = Buffer.from(Array.from({ length: 64 * 48 * 3 }, (_, i) => (Math.floor(i / 3) % 2) * 255))
  stripes = sharp(pixels, { raw: { width: 64, height: 48, channels: 3 } })
  plain = await stripes.clone().jpeg().toBuffer()
  placed = await stripes
    .clone()
    .jpeg()
    .withExif(GPS)
    .withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"><secret/></x:xmpmeta>')
    .withIccProfile('srgb')
    .toBuffer()
})

const rulesOf = (settings: Partial<ThumbnailSettings>) =>
  new PictureRules({ policy: 'full', days: 0, sites: [], ...settings })
const gateOf = (settings: Partial<ThumbnailSettings> = {}) => new PictureGate({ rules: rulesOf(settings) })
const contrastOf = async (jpeg: Uint8Array) => {
  const { data } = await decodeImage(new Uint8Array(jpeg))
  return data.reduce((a, b) => Math.max(a, b), 0) - data.reduce((a, b) => Math.min(a, b), 255)
}

describe('what comes in', () => {
  it('passes as it is when it holds a picture and nothing else', async () => {
    const gate = gateOf()
    expect(await gate.admit('plant', plain)).toEqual({ thumbnail: plain })
    expect(await gate.admit('plant', undefined)).toEqual({})
    expect(gate.stats).toEqual({ refused: 0, withheld: 0, blurred: 0, cleaned: 0 })
  })

  it('loses place, names, profile and comments, whoever sent it', async () => {
    expect((await sharp(placed).metadata()).exif).toBeDefined()
    expect(placed.includes('secret')).toBe(true)
    const gate = gateOf()
    const { thumbnail } = await gate.admit('plant', placed)
    const { exif, xmp, icc, iptc, width, height } = await sharp(thumbnail).metadata()
    expect({ exif, xmp, icc, iptc }).toEqual({})
    expect([width, height]).toEqual([64, 48])
    expect(Buffer.from(thumbnail!).includes('secret')).toBe(false)
    expect(gate.stats.cleaned).toBe(1)
  })

  it('loses what is hidden behind its end', async () => {
    const { thumbnail } = await gateOf().admit('plant', Buffer.concat([plain, Buffer.from('secret')]))
    expect(Buffer.from(thumbnail!).includes('secret')).toBe(false)
    expect(bareJpeg(thumbnail!)).toBeDefined()
  })

  it('is refused when it is no picture, too large, or would be in memory', async () => {
    const huge = await sharp({ create: { width: 8000, height: 8000, channels: 3, background: '#000' } })
      .jpeg({ quality: 1 })
      .toBuffer()
    const gate = gateOf()
    for (const bytes of [Buffer.from('<svg>'), plain.subarray(0, -40), Buffer.alloc(128 * 1024 + 1), huge])
      expect(await gate.admit('plant', bytes)).toEqual({})
    expect(gate.stats.refused).toBe(4)
  })

  it('is blurred or left out where the site says so, whatever the device thinks of it', async () => {
    const gate = gateOf({
      policy: 'blurred',
      sites: [
        { site: 'office', policy: 'none' },
        { site: 'yard', policy: 'full' },
      ],
    })
    const { thumbnail, blurred } = await gate.admit('plant', placed)
    expect(blurred).toBe(true)
    expect(await contrastOf(plain)).toBeGreaterThan(150)
    expect(await contrastOf(thumbnail!)).toBeLessThan(60)
    expect(bareJpeg(thumbnail!)).toBeDefined()
    expect(await gate.admit('office', plain)).toEqual({})
    expect(await gate.admit('yard', plain)).toEqual({ thumbnail: plain })
    expect(gate.stats).toEqual({ refused: 0, withheld: 1, blurred: 1, cleaned: 0 })
  })

  it('is held to it also as the result of a command', async () => {
    const reply: CommandReply = {
      v: 1,
      id: 'command-1',
      status: 'done',
      at: 1,
      result: { camera: 'yard', capturedAt: 1, jpeg: placed.toString('base64') },
    }
    const gate = gateOf({
      sites: [
        { site: 'office', policy: 'none' },
        { site: 'hall', policy: 'blurred' },
      ],
    })
    const jpegOf = ({ result }: CommandReply) => Buffer.from((result as { jpeg: string }).jpeg, 'base64')
    expect(jpegOf(await gate.admitReply('plant', reply)).includes('secret')).toBe(false)
    expect(await contrastOf(jpegOf(await gate.admitReply('hall', reply)))).toBeLessThan(60)
    expect(await gate.admitReply('office', reply)).toEqual({
      ...{ v: 1, id: 'command-1', at: 1, status: 'failed', code: 'PICTURE_WITHHELD' },
      message: 'the hub takes no pictures of office',
    })
    expect(await gate.admitReply('plant', { ...reply, result: { jpeg: 'AAAA' } })).toMatchObject({
      status: 'failed',
      code: 'IMAGE_INVALID',
    })
    for (const result of [undefined, null, 'text', { lines: [] }])
      expect(await gate.admitReply('office', { ...reply, result })).toEqual({ ...reply, result })
  })
})

describe('what is stored', () => {
  let root: string
  let store: RecordStore
  let clock: FakeClock
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'sightline-pictures-'))
    clock = new FakeClock()
    store = await openLmdbStore({ dir: root, clock, log, minFreeBytes: 0 })
  })
  afterEach(async () => {
    await store.close()
    await rm(root, { recursive: true })
  })

  const ingestOf = (settings: Partial<ThumbnailSettings> = {}) =>
    new Ingest({ store, publish: async () => {}, pictures: gateOf(settings), clock, log })
  const sweepOf = (settings: Partial<ThumbnailSettings>) =>
    new PictureSweep({ rules: rulesOf(settings), store, clock, log })
  /** One frame a day, the first of them a day old. */
  const send = (site: string, days: number, settings?: Partial<ThumbnailSettings>) =>
    ingestOf(settings).accept(
      `sightline/v1/${site}/emb/dock`,
      batchOf([], {
        items: Array.from({ length: days }, (_, i) => ({
          ...{ seq: i + 1, camera: 'yard', vector: UNIT, verdicts: [], thumbnail: plain },
          capturedAt: clock.now() - (i + 1) * DAY,
        })),
      }),
    )

  it('is what the policy leaves of it, also of frames that did not come by MQTT', async () => {
    await send('plant', 2, { policy: 'blurred' })
    expect(store.recent({}, 9).map(({ hasThumbnail, blurred }) => [hasThumbnail, blurred])).toEqual([
      [true, true],
      [true, true],
    ])
    await ingestOf({ policy: 'none' }).import({
      ...{ site: 'plant', node: 'other', session: '01JD0000000000000000000000', fingerprint: 'f' },
      ...{ historical: true, events: [], skipped: [] },
      frames: [
        {
          seq: 1,
          camera: 'yard',
          capturedAt: 1,
          verdicts: [],
          vector: new Float32Array(8),
          thumbnail: plain,
        },
      ],
    })
    expect(store.recent({ node: 'other' }, 9)).toMatchObject([{ hasThumbnail: false }])
    expect(store.counts()).toMatchObject({ frames: 3, thumbnails: 2 })
  })

  it('loses thumbnails that are too old for the site, and keeps the frames', async () => {
    await send('plant', 250)
    await send('office', 250)
    const sweep = sweepOf({ sites: [{ site: 'office', days: 99.5 }] })
    await sweep.sweep()
    expect(store.counts()).toMatchObject({ frames: 500, thumbnails: 349 })
    expect(sweep.totals).toEqual({ removed: 151, blurred: 0 })
    const [newest, oldest] = [
      store.recent({ site: 'office' }, 250).at(-1)!,
      store.recent({ site: 'office' }, 1)[0]!,
    ]
    expect([newest.hasThumbnail, oldest.hasThumbnail]).toEqual([true, false])
    expect(store.thumbnail(oldest.id)).toBeUndefined()
    await clock.advance(10 * DAY)
    await sweep.sweep()
    expect(store.counts().thumbnails).toBe(339)
  })

  it('is blurred once, or loses its thumbnails, when a policy is tightened', async () => {
    await send('plant', 3)
    await send('office', 3)
    const sweep = sweepOf({ policy: 'blurred', sites: [{ site: 'office', policy: 'none' }] })
    await sweep.sweep()
    expect(sweep.totals).toEqual({ removed: 3, blurred: 3 })
    const frames = store.recent({ site: 'plant' }, 9)
    for (const { id, blurred } of frames) {
      expect(blurred).toBe(true)
      expect(await contrastOf(store.thumbnail(id)!)).toBeLessThan(60)
    }
    expect(store.counts()).toMatchObject({ frames: 6, thumbnails: 3 })
    await sweep.sweep()
    expect(sweep.totals).toEqual({ removed: 3, blurred: 3 })
    // What is blurred stays so.
    await sweepOf({}).sweep()
    expect(await contrastOf(store.thumbnail(frames[0]!.id)!)).toBeLessThan(60)
  })

  it('is left alone where nothing is asked for', async () => {
    await send('plant', 3)
    await sweepOf({}).sweep()
    await sweepOf({ days: 3.5 }).sweep()
    expect(store.counts().thumbnails).toBe(3)
  })
})

it('refuses settings that name a site twice', () => {
  const sites = [{ site: 'plant', days: 1 }, { site: 'plant' }]
  expect(() => checkHubSettings(checkConfig(HubSettings, { thumbnails: { sites } }, 'test'))).toThrow(
    'thumbnails.sites.1.site: plant is named twice',
  )
})
