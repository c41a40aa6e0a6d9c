import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Outbox, type OutboxOptions } from '@sightline/edge-agent/outbox/outbox.js'
import { ulid } from 'ulid'
import { afterEach, beforeEach } from 'vitest'
import { FakeClock } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'
import { frameRecord } from '../support/records.ts'

export const NONE: ReadonlySet<number> = new Set()
export const MANY = { limit: 1000, maxBytes: 1e9 }

/** Gives every test of the file a directory of its own; `open` opens the outbox in it, as often as a test likes. */
export function useOutboxDir(): {
  readonly path: string
  open(change?: Partial<OutboxOptions>): Promise<Outbox>
} {
  let dir = ''
  const opened: Outbox[] = []
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'outbox-'))
  })
  afterEach(async () => {
    for (const outbox of opened.splice(0)) await outbox.close()
    await rm(dir, { recursive: true, force: true })
  })
  return {
    get path() {
      return dir
    },
    open: async change => {
      const limits = { maxBytes: 1e9, minFreeDiskBytes: 0 }
      const clock = new FakeClock()
      const outbox = await Outbox.open({ dir, limits, clock, log: quiet, newId: ulid, ...change })
      opened.push(outbox)
      return outbox
    },
  }
}

export function seqsOf(outbox: Outbox): number[] {
  return outbox.frames({ from: 1, below: outbox.next, except: NONE }, MANY).map(({ item }) => item.seq)
}

export function eventSeqs(outbox: Outbox): number[] {
  const seen = new Set<number>()
  for (;;) {
    const event = outbox.event({ from: 1, below: outbox.next, except: seen })
    if (event === undefined) return [...seen]
    seen.add(event.seq)
  }
}

export async function append(outbox: Outbox, count: number): Promise<number[]> {
  return await Promise.all(Array.from({ length: count }, () => outbox.append(frameRecord())))
}

export const ack = (outbox: Outbox, upTo: number, ranges: [number, number][] = []) =>
  outbox.acknowledge({ v: 1, session: outbox.session, upTo, ranges })
