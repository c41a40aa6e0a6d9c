import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLog, encodeJson, nodeTopic, systemClock, thumbnail } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { SnapshotLedger } from '@sightline/hub/store/snapshot-ledger.js'
import { connectAsync } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PHOTOS, photo, TestHub } from '../moderation/hub.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))
const IMPORTED = { site: 'plant', node: 'import' }
const NOTHING = {
  ...{ frames: 0, thumbnails: 0, bytes: 0, incidents: 0, reviews: 0, savedSearchHits: 0, examples: 0 },
  ...{ commandResults: 0, quarantined: 0, nodes: 0 },
}

let hub: TestHub
let backups: string
beforeAll(async () => {
  hub = await TestHub.start()
  backups = await mkdtemp(join(tmpdir(), 'sightline-backups-'))
})
afterAll(async () => {
  await hub?.stop()
  await rm(backups, { recursive: true, force: true })
})

async function run(...args: string[]) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, SIGHTLINE_DATA_DIR: hub.dir },
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      text += chunk
    })
  const [code] = await once(child, 'close')
  return { code, text }
}

const forget = (query: string) => hub.call(`/api/v1/frames?${query}`, { method: 'DELETE' })
const ruleOf = async () =>
  (await hub.call('/api/v1/rules')).body.rules.find(({ id }: { id: string }) => id === 'moose')

describe('deleting', () => {
  let ids: string[]
  let search: string
  let version: number

  it('is tried first: everything is counted, and nothing deleted', async () => {
    search = (await hub.post('/api/v1/searches', { name: 'all', text: 'a picture', threshold: -1 })).body.id
    const images = await Promise.all(PHOTOS.slice(0, 3).map(photo))
    const items = images.map((image, i) => ({
      image: image.toString('base64'),
      capturedAt: new Date(Date.UTC(2026, 1, 1 + i)).toISOString(),
    }))
    ids = (await hub.post('/api/v1/index?site=plant&camera=gate', items)).body.ids
    await expect
      .poll(async () => (await hub.call(`/api/v1/searches/${search}/hits`)).body.hits.length)
      .toBe(3)
    const rule = { id: 'moose', name: 'Moose', positives: ['a moose'], positiveExamples: [ids[0], ids[1]] }
    version = (await hub.post('/api/v1/rules/moose', rule, 'PUT')).body.version
    expect(version).toBeGreaterThan(1)

    const device = await connectAsync(hub.mqttUrl, { clientId: 'plant.import' })
    await device.publishAsync(nodeTopic('emb', IMPORTED), Buffer.from('unreadable'), { qos: 1 })
    const sent = await hub.post('/api/v1/devices/plant/import/commands', {
      command: 'snapshot',
      args: { camera: 'gate' },
    })
    expect(sent.status).toBe(202)
    const jpeg = await thumbnail(images[0]!)
    const reply = {
      ...{ v: 1, id: sent.body.id, status: 'done', at: Date.now() },
      result: { camera: 'gate', capturedAt: Date.now(), jpeg: jpeg.toString('base64') },
    }
    await device.publishAsync(nodeTopic('reply', IMPORTED), encodeJson(reply), { qos: 1 })
    await device.endAsync()

    const dry = await forget('site=plant&node=import&dryRun=true')
    expect(dry.status).toBe(200)
    expect(dry.body).toEqual({
      ...NOTHING,
      ...{ dryRun: true, frames: 3, thumbnails: 3, bytes: dry.body.bytes, savedSearchHits: 3, examples: 2 },
      ...{ commandResults: 1, quarantined: 1, nodes: 1, snapshots: [] },
    })
    expect((await hub.call('/api/v1/system')).body.counts.frames).toBe(PHOTOS.length + 3)
  })

  it('names the snapshots that still hold it, and until when', async () => {
    const [kept, brief] = [join(backups, 'kept'), join(backups, 'brief')]
    expect((await run('snapshot', kept)).code).toBe(0)
    expect((await run('snapshot', brief, '--keep', '30')).code).toBe(0)
    expect((await run('snapshot', join(backups, 'no'), '--keep', 'long')).text).toContain('API_BAD_REQUEST')
    const { snapshots } = (await forget('site=plant&dryRun=true')).body
    expect(snapshots).toMatchObject([
      { dir: brief, found: true },
      { dir: kept, found: true, keepUntil: null },
    ])
    const days = (Date.parse(snapshots[0].keepUntil) - Date.parse(snapshots[0].createdAt)) / 86_400_000
    expect(days).toBe(30)
    expect((await run('snapshots', 'list')).text).toMatch(
      new RegExp(`kept until .*${brief}\n.*kept  ${kept}\n`),
    )
    await rm(kept, { recursive: true })
  })

  it('of a time range takes what falls into it: hits, examples and all', async () => {
    const range = `site=plant&from=2026-02-02T00:00:00Z&to=2026-02-03T00:00:00Z`
    const { code, text } = await run('forget', '--hub', hub.url, ...argsOf(range))
    expect([code, text]).toEqual([0, expect.stringContaining('would be deleted (--yes does it):')])
    const done = await run('forget', '--hub', hub.url, ...argsOf(range), '--yes')
    expect(done.text).toMatch(
      /deleted:\n\s+1 {2}frames, with vectors and index entries\n\s+1 {2}thumbnails\n/,
    )
    expect(done.text).toMatch(/1 {2}hits of saved searches\n\s+1 {2}examples of rules/)
    expect(done.text).toContain(`may still be in the snapshot ${join(backups, 'kept')}`)
    expect(done.text).toContain('(not found there now)')
    const { hits } = (await hub.call(`/api/v1/searches/${search}/hits`)).body
    expect(hits.map(({ frameId }: { frameId: string }) => frameId).sort()).toEqual([ids[0], ids[2]])
    expect((await ruleOf()).positiveExamples).toEqual([ids[0]])
    expect((await hub.call(`/api/v1/rules/examples/${encodeURIComponent(ids[1]!)}/thumbnail`)).status).toBe(
      404,
    )
  })

  it('of a device takes the rest of it; the rules go on without its pictures', async () => {
    const { body } = await forget('site=plant&node=import')
    expect(body).toMatchObject({
      ...{ dryRun: false, frames: 2, thumbnails: 2, savedSearchHits: 2, examples: 1, commandResults: 1 },
      ...{ quarantined: 1, nodes: 1 },
    })
    expect(body.snapshots).toHaveLength(2)
    expect((await hub.call(`/api/v1/searches/${search}/hits`)).body.hits).toEqual([])
    expect((await hub.call('/api/v1/quarantine')).body.entries).toEqual([])
    const { commands } = (await hub.call('/api/v1/devices/plant/import/commands')).body
    expect(commands).toMatchObject([{ command: 'snapshot', status: 'done' }])
    const one = await hub.call(`/api/v1/devices/plant/import/commands/${commands[0].id}`)
    expect(JSON.stringify(one.body)).not.toContain('jpeg')
    expect(await ruleOf()).toMatchObject({ positives: ['a moose'], positiveExamples: [] })
    const [entry] = (await hub.call('/api/v1/audit')).body.entries
    expect(entry).toMatchObject({
      action: 'records.erased',
      subject: 'site=plant node=import',
      detail: { frames: 2, examples: 1, savedSearchHits: 2, snapshots: 2 },
    })
    const again = await forget('site=plant&node=import')
    expect(again.body).toMatchObject(NOTHING)
    // An earlier version comes back without what was forgotten.
    const restored = await hub.post(`/api/v1/rules/versions/${version}/restore`, {})
    expect(restored.status).toBe(200)
    expect((await ruleOf()).positiveExamples).toEqual([])
  })

  it('counts incidents and their reviews', async () => {
    await hub.sendIncident({ incident: '01JD00000000000000000000AA' })
    await hub.post('/api/v1/review/01JD00000000000000000000AA', { verdict: 'dismiss' })
    const query = 'site=default&camera=yard'
    expect((await forget(`${query}&dryRun=true`)).body).toMatchObject({ incidents: 1, reviews: 1, frames: 2 })
    const live = await fetch(`${hub.url}/api/v1/live`)
    expect((await forget(query)).body).toMatchObject({ incidents: 1, reviews: 1, frames: 2, nodes: 0 })
    // Pages that are open follow.
    let told = ''
    for await (const chunk of live.body!) {
      told += Buffer.from(chunk)
      if (told.includes('event: resync')) break
    }
    expect((await forget('dryRun=true')).body.error.code).toBe('API_BAD_REQUEST')
    const mixedUp = 'from=2026-02-02T00:00:00Z&to=2026-02-01T00:00:00Z'
    expect((await forget(mixedUp)).body.error).toMatchObject({
      ...{ code: 'API_BAD_REQUEST', message: 'from: must lie before to' },
    })
  })
})

it('removes snapshots whose time is over, and only what was made', async () => {
  const store = await openLmdbStore({
    dir: join(hub.dir, 'store'),
    clock: systemClock,
    log: createLog({ name: 'test', level: 'silent' }),
    minFreeBytes: 0,
  })
  try {
    const ledger = new SnapshotLedger(store)
    const brief = ledger.list().find(({ dir }) => dir.endsWith('brief'))!
    expect(await ledger.prune(brief.keepUntil! - 1)).toEqual([])
    const { found: _, ...known } = brief
    await ledger.add({ ...known, createdAt: '2026-01-01T00:00:00.000Z' })
    expect(await ledger.prune(brief.keepUntil!)).toEqual([])
    await ledger.add(known)
    expect(await ledger.prune(brief.keepUntil!)).toEqual([brief])
    expect(existsSync(brief.dir)).toBe(false)
    expect(ledger.list().map(({ found, keepUntil }) => [found, keepUntil])).toEqual([[false, null]])
  } finally {
    await store.close()
  }
})

function argsOf(query: string): string[] {
  return [...new URLSearchParams(query)].flatMap(([name, value]) => [`--${name}`, value])
}
