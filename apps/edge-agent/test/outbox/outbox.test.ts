import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { SeqRange } from '@sightline/core'
import { Outbox, type OutboxOptions } from '@sightline/edge-agent/outbox/outbox.js'
import { open } from 'lmdb'
import { ulid } from 'ulid'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { seeded } from '../support/bundles.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'
import { frameRecord, incidentStep } from '../support/records.ts'

const NONE: ReadonlySet<number> = new Set()
const MANY = { limit: 1000, maxBytes: 1e9 }

let dir = ''
const opened: Outbox[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'outbox-'))
})
afterEach(async () => {
  for (const outbox of opened.splice(0)) await outbox.close()
  await rm(dir, { recursive: true, force: true })
})

async function openOutbox(change: Partial<OutboxOptions> = {}): Promise<Outbox> {
  const limits = { maxBytes: 1e9, minFreeDiskBytes: 0 }
  const outbox = await Outbox.open({
    dir,
    limits,
    clock: new FakeClock(),
    log: quiet,
    newId: ulid,
    ...change,
  })
  opened.push(outbox)
  return outbox
}

function seqsOf(outbox: Outbox): number[] {
  return outbox.frames({ from: 1, below: outbox.next, except: NONE }, MANY).map(({ item }) => item.seq)
}

function eventSeqs(outbox: Outbox): number[] {
  const seen = new Set<number>()
  for (;;) {
    const event = outbox.event({ from: 1, below: outbox.next, except: seen })
    if (event === undefined) return [...seen]
    seen.add(event.seq)
  }
}

async function append(outbox: Outbox, count: number): Promise<number[]> {
  return await Promise.all(Array.from({ length: count }, () => outbox.append(frameRecord())))
}

const ack = (outbox: Outbox, upTo: number, ranges: [number, number][] = []) =>
  outbox.acknowledge({ v: 1, session: outbox.session, upTo, ranges })

describe('Outbox', () => {
  it('gives frames and events one sequence, in one commit', async () => {
    const outbox = await openOutbox()
    expect(await outbox.append(frameRecord(), seq => [incidentStep({ bestFrame: seq })])).toBe(1)
    await outbox.appendEvents([incidentStep({ phase: 'end' })])
    expect(await outbox.append(frameRecord())).toBe(4)
    expect(seqsOf(outbox)).toEqual([1, 4])
    expect(eventSeqs(outbox)).toEqual([2, 3])
    expect(outbox.event({ from: 1, below: 5, except: NONE })?.step).toEqual(incidentStep({ bestFrame: 1 }))
    expect([outbox.next, outbox.counts.records]).toEqual([5, 4])
  })

  it('gives back what was appended', async () => {
    const outbox = await openOutbox()
    const record = frameRecord({ thumbnail: new Uint8Array([1, 2, 3]) })
    await outbox.append(record)
    const [{ fingerprint, item }] = outbox.frames({ from: 1, below: 2, except: NONE }, MANY) as [never]
    expect({ ...(item as object), fingerprint }).toMatchObject({
      seq: 1,
      camera: 'gate',
      fingerprint: record.fingerprint,
      verdicts: record.verdicts,
    })
    const { vector, thumbnail } = item as { vector: Uint8Array; thumbnail: Uint8Array }
    expect(new Float32Array(new Uint8Array(vector).buffer)).toEqual(record.vector)
    expect([...thumbnail]).toEqual([1, 2, 3])
  })

  it('keeps session, numbers, records and counts over a restart', async () => {
    const first = await openOutbox()
    await append(first, 5)
    await ack(first, 5)
    await append(first, 3)
    const { session, counts } = first
    await first.close()
    const second = await openOutbox()
    expect([second.session, second.next, second.counts]).toEqual([session, 9, counts])
    expect(seqsOf(second)).toEqual([6, 7, 8])
    expect(await append(second, 1)).toEqual([9])
  })

  it('deletes exactly what an ack covers', async () => {
    const outbox = await openOutbox()
    await append(outbox, 10)
    await ack(outbox, 3, [
      [5, 6],
      [9, 9],
    ])
    expect(seqsOf(outbox)).toEqual([4, 7, 8, 10])
    await ack(outbox, 3)
    expect(outbox.counts.records).toBe(4)
    await ack(outbox, 10)
    expect(outbox.counts).toMatchObject({ records: 0, bytes: 0, dropped: 0 })
  })

  it('does not heed an ack of another session', async () => {
    const outbox = await openOutbox()
    await append(outbox, 2)
    await outbox.acknowledge({ v: 1, session: ulid(), upTo: 99, ranges: [] })
    expect([seqsOf(outbox), outbox.next]).toEqual([[1, 2], 3])
  })

  it('gives out no number that the hub already has', async () => {
    const outbox = await openOutbox()
    await append(outbox, 2)
    await ack(outbox, 7, [[10, 12]])
    expect(await append(outbox, 1)).toEqual([13])
  })

  it('selects by number, by what is on its way, by count and by size', async () => {
    const outbox = await openOutbox()
    await append(outbox, 6)
    const take = (from: number, below: number, except: number[], limits = MANY) =>
      outbox.frames({ from, below, except: new Set(except) }, limits).map(({ item }) => item.seq)
    expect(take(2, 6, [3])).toEqual([2, 4, 5])
    expect(take(1, 7, [], { limit: 2, maxBytes: 1e9 })).toEqual([1, 2])
    expect(take(1, 7, [1], { limit: 9, maxBytes: 1 })).toEqual([2])
    expect(take(7, 7, [])).toEqual([])
  })

  it('never mixes models in one selection', async () => {
    const outbox = await openOutbox()
    await append(outbox, 2)
    await outbox.append(frameRecord({ fingerprint: 'other:0123456789ab' }))
    expect(seqsOf(outbox)).toEqual([1, 2])
    await ack(outbox, 2)
    expect(seqsOf(outbox)).toEqual([3])
  })

  it('knows the incidents that are open', async () => {
    const first = await openOutbox()
    const other = { incident: '01HYYYYYYYYYYYYYYYYYYYYYYY' }
    await first.appendEvents([
      incidentStep(),
      incidentStep(other),
      incidentStep({ phase: 'update', frames: 7 }),
    ])
    await first.appendEvents([incidentStep({ ...other, phase: 'end' })])
    await ack(first, 4)
    await first.close()
    expect((await openOutbox()).openIncidents()).toEqual([incidentStep({ phase: 'update', frames: 7 })])
  })

  it('drops a record that cannot be read, instead of stopping at it', async () => {
    const outbox = await openOutbox()
    await append(outbox, 3)
    const env = open({ path: dir, noSubdir: false, maxDbs: 8 })
    await env.openDB<Buffer, number>('frames', { encoding: 'binary' }).put(1, Buffer.from('garbage'))
    expect(seqsOf(outbox)).toEqual([2, 3])
    await append(outbox, 1)
    expect([outbox.skipped(9), outbox.counts.dropped]).toEqual([[[1, 1]], 1])
    await env.close()
  })

  it('leaves the field to another process that opens the same outbox', async () => {
    const first = await openOutbox()
    await append(first, 1)
    const second = await openOutbox()
    await expect(first.append(frameRecord())).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringMatching(/another agent/),
    })
    expect(await append(second, 1)).toEqual([2])
  })

  it('refuses work after it was closed', async () => {
    const outbox = await openOutbox()
    await outbox.close()
    await expect(outbox.append(frameRecord())).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })
})

describe('Outbox limits', () => {
  const big = () => frameRecord({ vector: new Float32Array(750) })
  const pictured = () => frameRecord({ thumbnail: new Uint8Array(3000) })

  it('gives up the oldest thumbnails before any frame, and says so', async () => {
    const outbox = await openOutbox({ limits: { maxBytes: 25_000, minFreeDiskBytes: 0 } })
    await outbox.appendEvents([incidentStep()])
    for (let i = 0; i < 8; i++) await outbox.append(pictured())
    const frames = outbox.frames({ from: 1, below: outbox.next, except: NONE }, MANY)
    expect(frames.map(({ item }) => item.seq)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
    // A thumbnail takes a page of 4 KiB: five fit beside the rest.
    expect(frames.flatMap(({ item }) => (item.thumbnail ? [item.seq] : []))).toEqual([5, 6, 7, 8, 9])
    expect(outbox.counts).toMatchObject({
      records: 9,
      dropped: 0,
      droppedEvents: 0,
      droppedThumbnails: 3,
    })
    expect(outbox.skipped(9)).toEqual([])
    await ack(outbox, 9)
    expect(outbox.counts).toMatchObject({ records: 0, bytes: 0 })
  })

  it('gives up incidents last, the oldest first, and stays within its bytes', async () => {
    const maxBytes = 25_000
    const outbox = await openOutbox({ limits: { maxBytes, minFreeDiskBytes: 0 } })
    for (let i = 0; i < 3; i++) await outbox.append(pictured())
    let events = 0
    while (outbox.counts.droppedEvents === 0) {
      await outbox.appendEvents([incidentStep()])
      events++
      expect(outbox.counts.bytes).toBeLessThanOrEqual(maxBytes)
    }
    expect(seqsOf(outbox)).toEqual([])
    expect(eventSeqs(outbox)[0]).toBe(5)
    expect(outbox.counts).toMatchObject({ records: events - 1, dropped: 4, droppedThumbnails: 3 })
    expect(outbox.skipped(9)).toEqual([[1, 4]])
  })

  it('drops the oldest frames first and incidents last, counts them and names their numbers', async () => {
    const outbox = await openOutbox({ limits: { maxBytes: 25_000, minFreeDiskBytes: 0 } })
    await outbox.appendEvents([incidentStep()])
    for (let i = 0; i < 8; i++) await outbox.append(big())
    // A frame takes a page of 4 KiB: five fit beside the event.
    expect(seqsOf(outbox)).toEqual([5, 6, 7, 8, 9])
    expect(eventSeqs(outbox)).toEqual([1])
    expect(outbox.counts).toMatchObject({ records: 6, dropped: 3 })
    expect(outbox.counts.bytes).toBeLessThanOrEqual(25_000)
    expect(outbox.skipped(9)).toEqual([[2, 4]])
    await ack(outbox, 3)
    expect(outbox.skipped(9)).toEqual([[4, 4]])
    await ack(outbox, 9)
    expect([outbox.skipped(9), outbox.counts.records]).toEqual([[], 0])
  })

  it('refuses a record that is larger than all of it, without using up a number', async () => {
    const outbox = await openOutbox({ limits: { maxBytes: 4096, minFreeDiskBytes: 0 } })
    await expect(outbox.append(big())).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect([outbox.next, outbox.counts]).toMatchObject([1, { records: 0, bytes: 0, dropped: 1 }])
  })

  it('does not grow on a full disk, and goes on when there is space again', async () => {
    const clock = new FakeClock()
    let freeBytes = 1e9
    const outbox = await openOutbox({
      clock,
      freeBytes: async () => freeBytes,
      limits: { maxBytes: 1e9, minFreeDiskBytes: 1e7 },
    })
    for (let i = 0; i < 60; i++) await outbox.append(big())
    const { bytes } = outbox.counts
    freeBytes = 4 * bytes
    await clock.advance(1000)
    for (let i = 0; i < 30; i++) await outbox.append(big())
    expect(outbox.counts.bytes).toBeLessThanOrEqual(bytes)
    const kept = seqsOf(outbox)
    // For every new one the oldest went, and more, so that LMDB has pages to turn over.
    expect(kept.at(-1)).toBe(90)
    expect(kept).toEqual(Array.from(kept, (_, i) => kept[0]! + i))
    expect(outbox.counts.dropped).toBe(90 - kept.length)
    freeBytes = 1e9
    await clock.advance(1000)
    await append(outbox, 2)
    expect(seqsOf(outbox)).toEqual([...kept, 91, 92])
  })

  it('refuses frames on a full disk when there is nothing to drop, but records incidents', async () => {
    const outbox = await openOutbox({
      freeBytes: async () => 8000,
      limits: { maxBytes: 1e9, minFreeDiskBytes: 1e6 },
    })
    await expect(outbox.append(big())).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await outbox.appendEvents([incidentStep()])
    expect(eventSeqs(outbox)).toEqual([1])
  })

  it('keeps skipped numbers as a set does, whatever is dropped and acknowledged', async () => {
    const random = seeded(11)
    const outbox = await openOutbox({ limits: { maxBytes: 30_000, minFreeDiskBytes: 0 } })
    const gone = new Set<number>()
    for (let round = 0; round < 60; round++) {
      const before = [...seqsOf(outbox)]
      const added: number[] = []
      for (let i = 0; i < 1 + random() * 3; i++) {
        added.push(await outbox.append(big(), () => (random() < 0.3 ? [incidentStep()] : [])))
      }
      const left = new Set(seqsOf(outbox))
      for (const seq of [...before, ...added]) if (!left.has(seq)) gone.add(seq)
      const first = 1 + Math.floor(random() * outbox.next)
      const last = Math.min(outbox.next - 1, first + Math.floor(random() * 4))
      if (first > last) continue
      await ack(outbox, 0, [[first, last]])
      for (let seq = first; seq <= last; seq++) gone.delete(seq)
    }
    const named = outbox
      .skipped(1e6)
      .flatMap(([first, last]: SeqRange) => Array.from({ length: last - first + 1 }, (_, i) => first + i))
    expect(named.filter(seq => !isEvent(seq))).toEqual([...gone].sort((a, b) => a - b))
    function isEvent(seq: number): boolean {
      return !gone.has(seq) && named.includes(seq)
    }
  })
})

describe('Outbox under SIGKILL', () => {
  it('loses nothing that was acknowledged and uses no number twice', { timeout: 60_000 }, async () => {
    const script = fileURLToPath(new URL('./appender.mjs', import.meta.url))
    const acknowledged: number[] = []
    for (const enough of [1, 40, 7, 120, 23]) {
      const child = spawn(process.execPath, [script, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
      let lines = 0
      createInterface({ input: child.stdout }).on('line', line => {
        acknowledged.push(Number(line))
        if (++lines === enough) child.kill('SIGKILL')
      })
      await once(child, 'close')
      expect(lines).toBeGreaterThanOrEqual(enough)
      const outbox = await openOutbox()
      const stored = new Set(seqsOf(outbox))
      expect(acknowledged.filter(seq => !stored.has(seq))).toEqual([])
      expect(outbox.next).toBe(Math.max(...stored) + 1)
      expect(outbox.counts.records).toBe(stored.size)
      await outbox.close()
    }
    expect(new Set(acknowledged).size).toBe(acknowledged.length)
  })
})
