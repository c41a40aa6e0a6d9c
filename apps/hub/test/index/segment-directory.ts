import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog } from '@sightline/core'
import { openSegmentedIndex, type SegmentedIndex } from '@sightline/hub/index/segmented-index.js'
import type { SegmentedIndexOptions } from '@sightline/hub/index/segmented-index-options.js'
import { afterEach, beforeEach, expect } from 'vitest'
import { entriesOf, randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

export const DIM = 32
export const SEAL_AT = 300
const random = seededRandom(11)
/** Three segments and a tail. */
export const ENTRIES = entriesOf(Array.from({ length: 3 * SEAL_AT + 200 }, () => randomUnit(DIM, random)))

/** A directory for segments, the index that is open in it, and what that logged. */
export class SegmentDirectory {
  dir = ''
  readonly logged: { msg: string; err?: { code?: string } }[] = []
  readonly log = createLog({
    name: 'test',
    level: 'info',
    destination: { write: line => void this.logged.push(JSON.parse(line)) },
  })
  #index: SegmentedIndex | undefined

  /** An empty one for each test of the file. */
  static inEachTest(): SegmentDirectory {
    const at = new SegmentDirectory()
    beforeEach(async () => {
      at.dir = await mkdtemp(join(tmpdir(), 'sightline-segments-'))
      at.logged.length = 0
    })
    afterEach(async () => {
      await at.index.close()
      await rm(at.dir, { recursive: true, force: true })
    })
    return at
  }

  get index(): SegmentedIndex {
    return this.#index!
  }

  async open(options: Partial<SegmentedIndexOptions> = {}): Promise<void> {
    const { dir, log } = this
    this.#index = await openSegmentedIndex({
      dir,
      dim: DIM,
      fingerprint: 'a:0',
      log,
      sealAt: SEAL_AT,
      ...options,
    })
  }

  /** Adds what is missing, a segment's worth at a time. */
  async fill(): Promise<void> {
    for (let at = 0; at < ENTRIES.length; at += SEAL_AT) {
      await this.index.add(ENTRIES.slice(at, at + SEAL_AT))
      await this.index.settled()
    }
  }

  async expectComplete(): Promise<void> {
    expect(this.index.stats().vectors).toBe(ENTRIES.length)
    const all = await this.index.search({ vector: ENTRIES[0]!.vector, k: ENTRIES.length })
    expect(new Set(all.map(hit => hit.ord)).size).toBe(ENTRIES.length)
    for (const entry of ENTRIES.filter((_, i) => i % 53 === 0))
      expect((await this.index.search({ vector: entry.vector, k: 1 }))[0]).toMatchObject({ ord: entry.ord })
  }

  damageLogged(): boolean {
    return this.logged.some(line => line.err?.code === 'INDEX_DAMAGED')
  }

  files(): string[] {
    return readdirSync(this.dir).sort()
  }

  /** A file of the `nth` segment. */
  file(nth: number, part: string): string {
    return join(this.dir, fileName(nth, part))
  }
}

/** Names of the files of these segments. */
export function segmentFiles(...ids: number[]): string[] {
  return ids.flatMap(id => ['image', 'rows'].map(part => fileName(id, part)))
}

export function rewrite(path: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path)
  change(bytes)
  writeFileSync(path, bytes)
}

function fileName(id: number, part: string): string {
  return `segment-${String(id).padStart(8, '0')}.${part}`
}
