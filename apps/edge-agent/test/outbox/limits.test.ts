import type { SeqRange } from '@sightline/core'
import { describe, expect, it } from 'vitest'
import { seeded } from '../support/bundles.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { frameRecord, incidentStep } from '../support/records.ts'
import { ack, append, eventSeqs, MANY, NONE, seqsOf, useOutboxDir } from './outbox-dir.ts'

const outboxDir = useOutboxDir()

describe('Outbox limits', () => {
  const big = () => frameRecord({ vector: new Float32Array(750) })
  const pictured = () => frameRecord({ thumbnail: new Uint8Array(3000) })

  it('gives up the oldest thumbnails before any frame, and says so', async () => {
    const outbox = await outboxDir.open({ limits: { maxBytes: 25_000, minFreeDiskBytes: 0 } })
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
    const outbox = await outboxDir.open({ limits: { maxBytes, minFreeDiskBytes: 0 } })
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
    const outbox = await outboxDir.open({ limits: { maxBytes: 25_000, minFreeDiskBytes: 0 } })
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
    const outbox = await outboxDir.open({ limits: { maxBytes: 4096, minFreeDiskBytes: 0 } })
    await expect(outbox.append(big())).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect([outbox.next, outbox.counts]).toMatchObject([1, { records: 0, bytes: 0, dropped: 1 }])
  })

  it('does not grow on a full disk, and goes on when there is space again', async () => {
    const clock = new FakeClock()
    let freeBytes = 1e9
    const outbox = await outboxDir.open({
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
    const outbox = await outboxDir.open({
      freeBytes: async () => 8000,
      limits: { maxBytes: 1e9, minFreeDiskBytes: 1e6 },
    })
    await expect(outbox.append(big())).rejects.toMatchObject({ code: 'STORE_FAILED' })
    await outbox.appendEvents([incidentStep()])
    expect(eventSeqs(outbox)).toEqual([1])
  })

  it('keeps skipped numbers as a set does, whatever is dropped and acknowledged', async () => {
    const random = seeded(11)
    const outbox = await outboxDir.open({ limits: { maxBytes: 30_000, minFreeDiskBytes: 0 } })
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
