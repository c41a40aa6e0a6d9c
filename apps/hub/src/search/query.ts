import type { EmbeddedFrame, Frame, FrameFilter } from '../store/record-store.ts'

export const DEFAULT_LIMIT = 24
export const MAX_LIMIT = 200
/** Positives and negatives together. */
export const MAX_SUBJECTS = 32
/** Weight of a negative that brings none; measured, see docs/api.md. */
export const DEFAULT_NEGATIVE_WEIGHT = 0.5

/** What is looked for, exactly one of: words, a picture file, the id of a stored frame, or a vector of the model. */
export interface SearchSubject {
  readonly text?: string | undefined
  readonly image?: Uint8Array | undefined
  readonly id?: string | undefined
  readonly vector?: Float32Array | undefined
}

export interface WeightedSubject extends SearchSubject {
  /** Above 0, at most 10. */
  readonly weight?: number | undefined
}

export const GROUPINGS = ['camera', 'incident', 'minute', 'hour', 'day'] as const
export type Grouping = (typeof GROUPINGS)[number]

/** A subject of its own counts as a positive of weight 1. */
export interface SearchQuery extends SearchSubject {
  readonly positives?: readonly WeightedSubject[] | undefined
  readonly negatives?: readonly WeightedSubject[] | undefined
  readonly filter?: FrameFilter | undefined
  /** 1 to 200; default 24. With `groupBy`, of groups. */
  readonly limit?: number | undefined
  /** `nextCursor` of the page before, with the same query. */
  readonly cursor?: string | undefined
  /** Hits with a lower score are left out. */
  readonly minScore?: number | undefined
  /** Compare with every frame that passes the filter. */
  readonly exact?: boolean | undefined
  /** Every half-life halves the odds of a match. */
  readonly timeDecay?: { readonly halfLifeHours: number } | undefined
  /** Maximal marginal relevance: lambda 1 is relevance alone, 0 variety alone. */
  readonly diversity?: { readonly lambda: number } | undefined
  readonly groupBy?: Grouping | undefined
  /** Hits of each group; default 1. */
  readonly groupSize?: number | undefined
  readonly facets?: boolean | undefined
  readonly explain?: boolean | undefined
}

/** A frame that may become a hit. */
export interface Candidate {
  readonly frame: EmbeddedFrame
  /** Cosine between the query and the frame. */
  readonly similarity: number
  /** What the order goes by: the similarity, less what time took from it. */
  readonly rank: number
}

export interface Contribution {
  readonly role: 'positive' | 'negative'
  /** The words, the id of the frame, `image` or `vector`. */
  readonly subject: string
  readonly weight: number
  /** Cosine between this part of the query and the frame. */
  readonly similarity: number
  /** Its part of the hit's similarity: all of them add up to it. */
  readonly contribution: number
  /** Of the sum of the contributions' sizes. */
  readonly share: number
}

export interface SearchHit {
  readonly frame: Frame
  /** Cosine between the query and the frame. */
  readonly similarity: number
  /** See `calibrate`. */
  readonly score: number
  /** Share of typical stored frames that are less similar. */
  readonly percentile: number
  /** Standard deviations above typical stored frames. */
  readonly zScore: number
  /** The similarity less what time took from it; with `timeDecay` alone. */
  readonly rank?: number
  /** Frames of its camera that look the same and were left out; with `diversity` alone. */
  readonly alike?: number
  /** Key of its group; with `groupBy` alone. */
  readonly group?: string
  readonly contributions?: readonly Contribution[]
}

export interface SearchGroup {
  readonly key: string
  /** Candidates in it. */
  readonly frames: number
  readonly bestFrameId: string
}

export interface FacetValue {
  readonly value: string
  readonly count: number
}

export interface Facets {
  readonly site: readonly FacetValue[]
  /** `site/node`. */
  readonly node: readonly FacetValue[]
  /** `site/node/camera`. */
  readonly camera: readonly FacetValue[]
  /** Rules that fired. */
  readonly rule: readonly FacetValue[]
  readonly tag: readonly FacetValue[]
  /** UTC, `2026-01-31`. */
  readonly day: readonly FacetValue[]
  readonly histogram: {
    readonly bucketMs: number
    /** Begin of each bucket, milliseconds since the epoch; empty buckets are left out. */
    readonly buckets: readonly { readonly at: number; readonly count: number }[]
  }
}

export interface SearchResult {
  /** By similarity descending, ties newest first; groups by their best hit. */
  readonly hits: readonly SearchHit[]
  readonly groups?: readonly SearchGroup[]
  /** Of the candidates; approximate when `total` is. */
  readonly facets?: Facets
  /** Candidates that were looked at: all that match (`eq`), or the best of more (`gte`). */
  readonly total: { readonly value: number; readonly relation: 'eq' | 'gte' }
  readonly nextCursor: string | null
  readonly tookMs: number
  readonly model: { readonly name: string; readonly fingerprint: string }
}
