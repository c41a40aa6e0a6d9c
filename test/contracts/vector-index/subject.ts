import type { VectorIndex } from '@sightline/hub/index/vector-index.js'

export const DIM = 64
/** Vectors that are built into a graph at once. */
export const SEAL_AT = 1000

/** One implementation of the port. */
export interface Implementation {
  readonly name: string
  /** `dir` belongs to this index alone; opening it again finds what it kept. */
  open(dir: string, dim: number): Promise<VectorIndex>
  /** Why it cannot be tested here. */
  readonly missing?: string | undefined
  readonly start?: () => Promise<void>
  readonly stop?: () => Promise<void>
  /** Finds every neighbour, always. */
  readonly isExact?: boolean
}

/** An implementation under test. */
export interface Subject {
  readonly isExact: boolean
  /** An empty index. */
  fresh(): Promise<VectorIndex>
  /** The index that was kept under this name. */
  open(name: string): Promise<VectorIndex>
}
