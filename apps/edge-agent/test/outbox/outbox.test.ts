import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { open } from 'lmdb'
import { ulid } from 'ulid'
import { describe, expect, it } from 'vitest'
import { frameRecord, incidentStep } from '../support/records.ts'
import { ack, append, eventSeqs, MANY, NONE, seqsOf, useOutboxDir } from './outbox-dir.ts'

const outboxDir = useOutboxDir()

describe('Outbox', () => {
  it('gives frames and events one sequence, in one commit', async () => {
    const outbox = await outboxDir.open()
    expect(await outbox.append(frameRecord(), seq => [incidentStep({ bestFrame: seq })])).toBe(1)
    await outbox.appendEvents([incidentStep({ phase: 'end' })])
    expect(await outbox.append(frameRecord())).toBe(4)
    expect(seqsOf(outbox)).toEqual([1, 4])
    expect(eventSeqs(outbox)).toEqual([2, 3])
    expect(outbox.event({ from: 1, below: 5, except: NONE })?.step).toEqual(incidentStep({ bestFrame: 1 }))
    expect([outbox.next, outbox.counts.records]).toEqual([5, 4])
  })

  it('gives back what was appended', async () => {
    const outbox = await outboxDir.open()
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
    const first = await outboxDir.open()
    await append(first, 5)
    await ack(first, 5)
    await append(first, 3)
    const { session, counts } = first
    await first.close()
    const second = await outboxDir.open()
    expect([second.session, second.next, second.counts]).toEqual([session, 9, counts])
    expect(seqsOf(second)).toEqual([6, 7, 8])
    expect(await append(second, 1)).toEqual([9])
  })

  it('deletes exactly what an ack covers', async () => {
    const outbox = await outboxDir.open()
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
    const outbox = await outboxDir.open()
    await append(outbox, 2)
    await outbox.acknowledge({ v: 1, session: ulid(), upTo: 99, ranges: [] })
    expect([seqsOf(outbox), outbox.next]).toEqual([[1, 2], 3])
  })

  it('gives out no number that the hub already has', async () => {
    const outbox = await outboxDir.open()
    await append(outbox, 2)
    await ack(outbox, 7, [[10, 12]])
    expect(await append(outbox, 1)).toEqual([13])
  })

  it('selects by number, by what is on its way, by count and by size', async () => {
    const outbox = await outboxDir.open()
    await append(outbox, 6)
    const take = (from: number, below: number, except: number[], limits = MANY) =>
      outbox.frames({ from, below, except: new Set(except) }, limits).map(({ item }) => item.seq)
    expect(take(2, 6, [3])).toEqual([2, 4, 5])
    expect(take(1, 7, [], { limit: 2, maxBytes: 1e9 })).toEqual([1, 2])
    expect(take(1, 7, [1], { limit: 9, maxBytes: 1 })).toEqual([2])
    expect(take(7, 7, [])).toEqual([])
  })

  it('never mixes models in one selection', async () => {
    const outbox = await outboxDir.open()
    await append(outbox, 2)
    await outbox.append(frameRecord({ fingerprint: 'other:0123456789ab' }))
    expect(seqsOf(outbox)).toEqual([1, 2])
    await ack(outbox, 2)
    expect(seqsOf(outbox)).toEqual([3])
  })

  it('knows the incidents that are open', async () => {
    const first = await outboxDir.open()
    const other = { incident: '01HYYYYYYYYYYYYYYYYYYYYYYY' }
    await first.appendEvents([
      incidentStep(),
      incidentStep(other),
      incidentStep({ phase: 'update', frames: 7 }),
    ])
    await first.appendEvents([incidentStep({ ...other, phase: 'end' })])
    await ack(first, 4)
    await first.close()
    expect((await outboxDir.open()).openIncidents()).toEqual([incidentStep({ phase: 'update', frames: 7 })])
  })

  it('drops a record that cannot be read, instead of stopping at it', async () => {
    const outbox = await outboxDir.open()
    await append(outbox, 3)
    const env = open({ path: outboxDir.path, noSubdir: false, maxDbs: 8 })
    await env.openDB<Buffer, number>('frames', { encoding: 'binary' }).put(1, Buffer.from('garbage'))
    expect(seqsOf(outbox)).toEqual([2, 3])
    await append(outbox, 1)
    expect([outbox.skipped(9), outbox.counts.dropped]).toEqual([[[1, 1]], 1])
    await env.close()
  })

  it('leaves the field to another process that opens the same outbox', async () => {
    const first = await outboxDir.open()
    await append(first, 1)
    const second = await outboxDir.open()
    await expect(first.append(frameRecord())).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringMatching(/another agent/),
    })
    expect(await append(second, 1)).toEqual([2])
  })

  it('refuses work after it was closed', async () => {
    const outbox = await outboxDir.open()
    await outbox.close()
    await expect(outbox.append(frameRecord())).rejects.toMatchObject({ code: 'STORE_FAILED' })
  })
})

describe('Outbox under SIGKILL', () => {
  it('loses nothing that was acknowledged and uses no number twice', { timeout: 60_000 }, async () => {
    const script = fileURLToPath(new URL('./appender.mjs', import.meta.url))
    const acknowledged: number[] = []
    for (const enough of [1, 40, 7, 120, 23]) {
      const child = spawn(process.execPath, [script, outboxDir.path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let lines = 0
      createInterface({ input: child.stdout }).on('line', line => {
        acknowledged.push(Number(line))
        if (++lines === enough) child.kill('SIGKILL')
      })
      await once(child, 'close')
      expect(lines).toBeGreaterThanOrEqual(enough)
      const outbox = await outboxDir.open()
      const stored = new Set(seqsOf(outbox))
      expect(acknowledged.filter(seq => !stored.has(seq))).toEqual([])
      expect(outbox.next).toBe(Math.max(...stored) + 1)
      expect(outbox.counts.records).toBe(stored.size)
      await outbox.close()
    }
    expect(new Set(acknowledged).size).toBe(acknowledged.length)
  })
})
