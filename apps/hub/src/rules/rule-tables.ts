import { mkdirSync } from 'node:fs'
import { type Clock, fault, messageOf } from '@sightline/core'
import { type Database, open, type RootDatabase } from 'lmdb'
import { Committer } from '../store/committer.ts'
import { DiskGuard } from '../store/disk-guard.ts'
import type { Frame } from '../store/record-store.ts'

/** What was last sent to a topic. */
export interface SentBundle {
  readonly site: string
  readonly group: string
  readonly fingerprint: string
  /** SHA-256 of the bundle without its time; its bytes lie under it in `contents`. */
  readonly digest: string
  /** Hub time, milliseconds since the epoch; grows strictly with every other content. */
  readonly issuedAt: number
  readonly version: number
  readonly rules: number
}

/** One change of the rules. */
export interface HistoryRow {
  readonly version: number
  /** Hub time, milliseconds since the epoch. */
  readonly at: number
  readonly actor: string
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
  /** The version that was restored; null for any other change. */
  readonly restored: number | null
  /** Size of the rules as they are kept. */
  readonly bytes: number
}

/** A picture that rules may name: uploaded, or a stored frame that a rule named when it was saved. */
export interface ExampleRow {
  readonly at: number
  /** Running number, so that the oldest are known. */
  readonly ord: number
  /** Of a stored frame: what it shows, so that it can be forgotten with it. */
  readonly source?: Pick<Frame, 'site' | 'node' | 'camera' | 'capturedAt'>
}

/** Tables of the rules that are nobody else's: what can be made again, and what belongs to a rule for good. */
export interface RuleTables {
  /** [fingerprint, SHA-256 of the text] -> little-endian float32. */
  readonly prompts: Database<Buffer, [string, string]>
  /** topic -> what was last sent to it. */
  readonly topics: Database<SentBundle, string>
  /** digest -> bundle with `issuedAt` 0 as MessagePack. */
  readonly contents: Database<Buffer, string>
  readonly history: Database<HistoryRow, number>
  /** version -> rules as deflated JSON. */
  readonly versions: Database<Buffer, number>
  readonly examples: Database<ExampleRow, string>
  /** example -> JPEG. */
  readonly pictures: Database<Buffer, string>
  /** [example, fingerprint] -> little-endian float32. */
  readonly exampleVectors: Database<Buffer, [string, string]>
  /** Retained topics for Home Assistant that must be cleared one day -> true. */
  readonly sensors: Database<true, string>
  readonly counters: Database<number, string>
}

export interface RuleDatabase {
  readonly tables: RuleTables
  /** Durable when it resolves; all or nothing. @throws STORE_FAILED */
  write<T>(job: () => T): Promise<T>
  close(): Promise<void>
}

/** @throws STORE_FAILED when the directory cannot be used */
export function openRuleDatabase({
  dir,
  clock,
  minFreeBytes,
}: {
  readonly dir: string
  readonly clock: Clock
  readonly minFreeBytes: number
}): RuleDatabase {
  try {
    mkdirSync(dir, { recursive: true })
    const root = open({ path: dir, maxDbs: 16, overlappingSync: false, compression: false })
    const committer = new Committer({ root, guard: new DiskGuard({ dir, minFreeBytes, clock }) })
    return { tables: tablesOf(root), write: job => committer.run(job), close: () => root.close() }
  } catch (cause) {
    throw fault('STORE_FAILED', `the rules' tables in ${dir} cannot be opened: ${messageOf(cause)}`, {
      cause,
    })
  }
}

function tablesOf(root: RootDatabase): RuleTables {
  return {
    prompts: root.openDB('prompts', { encoding: 'binary' }),
    topics: root.openDB('topics', {}),
    contents: root.openDB('contents', { encoding: 'binary' }),
    history: root.openDB('history', {}),
    versions: root.openDB('versions', { encoding: 'binary' }),
    examples: root.openDB('examples', {}),
    pictures: root.openDB('pictures', { encoding: 'binary' }),
    exampleVectors: root.openDB('example-vectors', { encoding: 'binary' }),
    sensors: root.openDB('sensors', {}),
    counters: root.openDB('counters', {}),
  }
}

/** Of vectors that the hub has written itself. A copy: LMDB's memory is not ours to keep. */
export function vectorOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer)
}
