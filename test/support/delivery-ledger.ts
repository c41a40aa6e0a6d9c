import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { addSeqs, EMPTY_SEQ_SET, type SeqRange, type SeqSet } from '@sightline/core'

/** What one device has sent (all of 1 to `sent`) and what a hub has acknowledged of it. */
export interface DeviceEntry {
  readonly sent: number
  readonly acknowledged: SeqSet
}

/**
 * The client's own book of what it sent and what was acknowledged, kept apart from everything under test. An
 * acknowledgement counts only once it is in the file and the file is on disk.
 */
export class DeliveryLedger {
  readonly path: string
  readonly #file: FileHandle
  readonly #latest = new Map<string, number>()
  #lines: string[] = []
  #waiting = 0
  #acknowledged = 0
  #sent = 0
  #writing: Promise<void> | undefined

  private constructor(path: string, file: FileHandle) {
    this.path = path
    this.#file = file
  }

  static async open(path: string): Promise<DeliveryLedger> {
    return new DeliveryLedger(path, await open(path, 'a'))
  }

  get sentCount(): number {
    return this.#sent
  }

  /** On disk. */
  get acknowledgedCount(): number {
    return this.#acknowledged
  }

  sent(node: string, seq: number): void {
    if (seq <= (this.#latest.get(node) ?? 0)) return
    this.#latest.set(node, seq)
    this.#sent++
    this.#write(`S ${node} ${seq} ${seq}`)
  }

  acknowledged(node: string, ranges: readonly SeqRange[]): void {
    for (const [first, last] of ranges) {
      this.#waiting += last - first + 1
      this.#write(`A ${node} ${first} ${last}`)
    }
  }

  /** Everything told so far is on disk. */
  async flushed(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing
  }

  async close(): Promise<void> {
    await this.flushed()
    await this.#file.close()
  }

  #write(line: string): void {
    this.#lines.push(line)
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
    })
  }

  /** One flush for all that came during the last one. */
  async #writeAll(): Promise<void> {
    while (this.#lines.length > 0) {
      const lines = this.#lines.splice(0)
      const counted = this.#waiting
      this.#waiting = 0
      await this.#file.appendFile(`${lines.join('\n')}\n`)
      await this.#file.datasync()
      this.#acknowledged += counted
    }
  }
}

/** Reads a ledger back from disk; a last line that was cut off by a crash does not count. */
export async function readLedger(path: string): Promise<Map<string, DeviceEntry>> {
  const entries = new Map<string, DeviceEntry>()
  let cutOff = ''
  for await (const chunk of createReadStream(path, 'utf8')) {
    const lines = (cutOff + chunk).split('\n')
    cutOff = lines.pop()!
    for (const line of lines) {
      const [kind, node, from, to] = line.split(' ') as [string, string, string, string]
      const known = entries.get(node) ?? { sent: 0, acknowledged: EMPTY_SEQ_SET }
      const [first, last] = [Number(from), Number(to)]
      if (kind === 'S') entries.set(node, { ...known, sent: Math.max(known.sent, last) })
      else entries.set(node, { ...known, acknowledged: addSeqs(known.acknowledged, [[first, last]]) })
    }
  }
  return entries
}
