import type { Log } from '@sightline/core'
import type { IndexFailPoint } from './manifest-log.ts'
import type { SpawnWorker } from './worker-channel.ts'

export const DEFAULT_SEAL_AT = 4096
/** A backlog is sealed into fewer, larger segments: up to so many times `sealAt`. */
export const MAX_SEAL_FACTOR = 16
/** Building one takes some 0.6 GB at 512 dimensions. */
export const DEFAULT_MAX_SEGMENT = 262_144

export interface SegmentedIndexOptions {
  /** Holds the segments and nothing else that starts with `segment`. Created when missing. */
  readonly dir: string
  readonly dim: number
  /** Segments of another model are discarded. */
  readonly fingerprint: string
  /** Segments of another generation are discarded: their source numbers mean something else. Default: empty. */
  readonly generation?: string | undefined
  readonly log: Log
  /** Vectors in the exact tail that are sealed into a graph. Default 4096. */
  readonly sealAt?: number | undefined
  /** Vectors of the largest segment that merging makes. Default 262,144. */
  readonly maxSegment?: number | undefined
  /** Threads that search. */
  readonly readers?: number | undefined
  /** How a worker is started; tests watch and end workers through this. */
  readonly spawn?: SpawnWorker | undefined
  /** Called at the points where a crash is most awkward; for tests that crash there. */
  readonly failPoint?: ((name: IndexFailPoint) => void) | undefined
}
