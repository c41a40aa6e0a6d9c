import type { Rule as CoreRule, NodeStats, Verdict } from '@sightline/core'

/** What the hub's HTTP API answers; times are RFC 3339 strings. */

export type { NodeStats, Verdict }
export type Severity = 'info' | 'low' | 'medium' | 'high' | 'critical'
export type Rule = Omit<CoreRule, 'severity'> & { severity: Severity }

export interface Frame {
  readonly id: string
  readonly site: string
  readonly node: string
  readonly camera: string
  readonly capturedAt: string
  readonly receivedAt: string
  readonly historical: boolean
  readonly verdicts: readonly Verdict[]
  readonly tags: readonly string[]
  readonly thumbnailUrl: string | null
}

export interface Hit extends Frame {
  /** Cosine between query and frame. */
  readonly similarity: number
  /** Probability. */
  readonly score: number
  /** Share of typical stored frames that are less similar. */
  readonly percentile: number
  /** Standard deviations above typical stored frames. */
  readonly zScore: number
  /** Frames of its camera that look the same and were left out; when variety was asked for. */
  readonly alike?: number
}

/** What one part of a question does for or against a frame. */
export interface Contribution {
  readonly role: 'positive' | 'negative'
  /** The words, the id of the frame, `image` or `vector`. */
  readonly subject: string
  readonly weight: number
  readonly similarity: number
  /** Its part of the frame's similarity: all add up to it. */
  readonly contribution: number
  /** Of the sum of the contributions' sizes. */
  readonly share: number
}

export interface ExplainedHit extends Hit {
  readonly contributions: readonly Contribution[]
}

/** Of one camera, each side nearest first. */
export interface Neighbours {
  readonly before: readonly Frame[]
  readonly after: readonly Frame[]
}

/** Candidates over time; stretches without any are left out. */
export interface SearchHistogram {
  readonly bucketMs: number
  readonly buckets: readonly { readonly at: string; readonly count: number }[]
}

export interface FacetValue {
  readonly value: string
  readonly count: number
}

/** Where and when the candidates are, most frequent first. */
export interface SearchFacets {
  readonly site: readonly FacetValue[]
  /** `site/node`. */
  readonly node: readonly FacetValue[]
  /** `site/node/camera`. */
  readonly camera: readonly FacetValue[]
  /** Ids of rules that fired. */
  readonly rule: readonly FacetValue[]
  readonly tag: readonly FacetValue[]
  readonly histogram: SearchHistogram
}

export interface SearchAnswer {
  readonly hits: readonly Hit[]
  /** For the next page; null after the last. */
  readonly nextCursor: string | null
  readonly facets?: SearchFacets
  readonly tookMs: number
  readonly model: { readonly name: string; readonly fingerprint: string }
}

export interface Incident {
  readonly id: string
  readonly rule: string
  readonly ruleName: string
  readonly severity: Severity
  readonly site: string
  readonly node: string
  readonly camera: string
  readonly startedAt: string
  readonly updatedAt: string
  /** Null while it goes on. */
  readonly endedAt: string | null
  readonly peakScore: number
  readonly frames: number
  readonly bestFrameId: string
  readonly thumbnailUrl: string | null
  /** Null until somebody has reviewed it. */
  readonly review: IncidentReview | null
}

export type ReviewVerdict = 'confirm' | 'dismiss' | 'relabel'

export interface IncidentReview {
  readonly verdict: ReviewVerdict
  /** Of relabel: the rule that should have raised it. */
  readonly rule: string | null
  readonly note: string | null
  readonly at: string
}

export interface QueuedIncident extends Incident {
  /** By rank, or drawn at random. */
  readonly reason: 'priority' | 'audit'
  /** Nearness of the peak to the rule's threshold, 0 to 1; null when the rule is gone. */
  readonly uncertainty: number | null
}

export interface ReviewQueue {
  /** Of these `incidents` are the first. */
  readonly waiting: number
  readonly incidents: readonly QueuedIncident[]
}

export interface NodeCamera {
  readonly camera: string
  readonly status: 'starting' | 'running' | 'failed'
  readonly lastFrameAt: string | null
  /** Frames that the camera gave of late. */
  readonly framesPerSecond?: number
  /** Frame in to verdicts recorded. */
  readonly decisionP95Ms?: number
  readonly error?: string
}

export interface NodeStarting {
  readonly phase: 'opening-model' | 'building-engine' | 'choosing-provider'
  readonly detail?: string
  /** 0 to 1. */
  readonly progress?: number
  readonly since: string
  readonly error?: string
}

export type DriftState = 'none' | 'in-sync' | 'pending' | 'rejected' | 'unknown'

export interface FleetNode {
  readonly site: string
  readonly node: string
  readonly online: boolean
  readonly health: {
    readonly status: 'healthy' | 'degraded' | 'offline'
    readonly reasons: readonly { readonly code: string; readonly message: string }[]
  }
  /** Versions; `desired` is null when the hub desires nothing, `inForce` 0 when the device runs with its own file alone. */
  readonly config: {
    readonly desired: number | null
    readonly inForce: number | null
    readonly drift: DriftState
  }
  readonly lastSeenAt: string
  readonly lastDataAt: string | null
  readonly agent: string | null
  readonly provider: string | null
  /** What it does before it can judge frames; absent once it can. */
  readonly starting?: NodeStarting
  readonly fingerprint: string | null
  readonly rulesVersion: number | null
  readonly rulesError?: string
  readonly cameras: readonly NodeCamera[]
  readonly stats: NodeStats | null
}

export interface RulesDocument {
  readonly version: number
  readonly updatedAt: string
  readonly rules: readonly Rule[]
  /** Concepts that the model cannot do, by rule id. */
  readonly warnings: readonly { readonly rule: string; readonly message: string }[]
}

export interface SystemInfo {
  readonly version: string
  readonly model: {
    readonly name: string
    readonly title: string
    readonly fingerprint: string
    readonly dim: number
    readonly license: string
    readonly notice: string
    readonly cannot: readonly string[]
  }
  /** Whether the hub fetches pictures from addresses. */
  readonly searchByUrl: boolean
  readonly counts: Readonly<Record<string, number>>
  readonly index: Readonly<Record<string, number>>
  readonly ingest: Readonly<Record<string, number>>
}

export interface StorageInfo {
  readonly disk: {
    readonly freeBytes: number
    readonly totalBytes: number
    /** With less than this free nothing is stored any more. */
    readonly minFreeBytes: number
    readonly state: 'ok' | 'low' | 'refusing'
  }
  /** Bytes on disk of each part of the data directory. */
  readonly parts: Readonly<Record<string, number>>
  readonly thumbnails: { readonly count: number; readonly bytes: number }
  readonly vectors: { readonly count: number; readonly bytes: number }
  /** 0: for ever, or any number. */
  readonly retention: { readonly days: number; readonly maxFramesPerCamera: number }
  /** Null: none was ever taken. */
  readonly snapshot: { readonly at: string; readonly bytes: number; readonly error: string | null } | null
}

export interface AuditEntry {
  readonly id: number
  readonly at: string
  readonly actor: string
  readonly action: string
  readonly subject: string
  readonly detail: Readonly<Record<string, string | number | boolean | null>>
}

export interface QuarantineEntry {
  readonly at: string
  readonly topic: string
  readonly reason: string
  /** First bytes of the payload in base64. */
  readonly head: string
  /** Size of the whole payload. */
  readonly bytes: number
}

export interface CameraDrift {
  readonly site: string
  readonly node: string
  readonly camera: string
  /** Frames compared, of the last day. */
  readonly recent: number
  /** Frames compared, of the week before. */
  readonly reference: number
  readonly meanCosine: number
  readonly nearest: { readonly psi: number }
  readonly level: 'none' | 'moderate' | 'large'
}

export interface DriftAnswer {
  readonly at: string
  /** Cameras with too few frames to compare. */
  readonly skipped: number
  /** Most changed first. */
  readonly cameras: readonly CameraDrift[]
}

export interface FrameFilter {
  readonly site?: string
  readonly node?: string
  readonly camera?: string
  readonly rule?: string
  /** Whether that rule fired; without a rule, whether any did. */
  readonly fired?: boolean
  readonly tag?: string
  /** Captured at or after. */
  readonly from?: string
  /** Captured before. */
  readonly to?: string
}

/** What is looked for, without a picture. */
export interface Question {
  readonly text?: string
  readonly id?: string
  readonly negatives?: readonly { readonly text: string }[]
}

/** What a standing search looks for. */
export interface SavedQuestion extends Question {
  /** Instead of words or a frame. */
  readonly image?: Blob
  readonly filter?: FrameFilter
}

export interface SavedSearch {
  readonly id: string
  readonly name: string
  /** Who saved it, as the audit log names him. */
  readonly owner: string | null
  readonly createdAt: string
  /** Cosine from which a frame is a hit. */
  readonly threshold: number
  /** What is looked for; negatives begin with a minus. */
  readonly subjects: readonly string[]
  readonly filter: FrameFilter & { readonly sites?: readonly string[]; readonly cameras?: readonly string[] }
}

export interface SavedHit {
  readonly frameId: string
  readonly capturedAt: string
  readonly similarity: number
}

export interface ThresholdSuggestion {
  readonly threshold: number
  /** Of typical frames, about so many reach it. */
  readonly share: number
}

export interface SearchRequest {
  /** Exactly one of text, id and image. */
  readonly subject: { readonly text: string } | { readonly id: string } | { readonly image: Blob }
  /** Words that take away from what is looked for. */
  readonly negatives?: readonly string[]
  readonly filter: FrameFilter
  readonly limit: number
  /** 1: relevance alone; 0: variety alone. */
  readonly diversity?: number
  /** Count the candidates over time. */
  readonly facets?: boolean
  readonly cursor?: string
}

export type Role = 'viewer' | 'operator' | 'admin'

/** Who asks, as the hub sees him. */
export interface SessionState {
  /** False: whoever reaches the hub is its admin. */
  readonly signInRequired: boolean
  readonly setupOpen: boolean
  /** Null: nobody. */
  readonly caller: {
    readonly kind: 'local' | 'user' | 'key'
    readonly name: string | null
    readonly role: Role
    readonly scope: readonly string[] | null
  } | null
}
