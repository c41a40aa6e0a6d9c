import type { IncidentEvent, NodeState, NodeStats, Rule, SeqRange, SeqSet, Verdict } from '@sightline/core'

/** A stored frame. `ord` is the hub's own running number: dense enough to scan by, never reused. */
export interface Frame {
  readonly ord: number
  /** `site~node~session~seq`: the same record always has the same id. */
  readonly id: string
  readonly site: string
  readonly node: string
  readonly camera: string
  readonly session: string
  readonly seq: number
  /** Device time, milliseconds since the epoch. */
  readonly capturedAt: number
  /** Hub time, milliseconds since the epoch. */
  readonly receivedAt: number
  readonly historical: boolean
  readonly fingerprint: string
  readonly verdicts: readonly Verdict[]
  readonly hasThumbnail: boolean
  /** Whether the hub has blurred its thumbnail. */
  readonly blurred?: boolean
  /** What people call it by, sorted; absent: nothing. */
  readonly tags?: readonly string[]
}

/** A frame with its embedding: L2-normalised, of the length that its model's fingerprint implies. */
export interface EmbeddedFrame extends Frame {
  readonly vector: Float32Array
}

export type NewFrame = Pick<EmbeddedFrame, 'seq' | 'camera' | 'capturedAt' | 'vector' | 'verdicts'> & {
  readonly thumbnail?: Uint8Array | undefined
  readonly blurred?: boolean | undefined
  readonly tags?: readonly string[] | undefined
}

/** The life of one incident, folded from its events. */
export interface Incident {
  readonly id: string
  readonly site: string
  readonly node: string
  readonly camera: string
  readonly rule: string
  readonly ruleName: string
  readonly rulesVersion: number
  readonly severity: IncidentEvent['severity']
  readonly startedAt: number
  readonly updatedAt: number
  /** Null while it goes on. */
  readonly endedAt: number | null
  readonly peakScore: number
  readonly frames: number
  readonly bestFrameId: string
}

/** What one MQTT message brings from one node. */
export interface Delivery {
  readonly site: string
  readonly node: string
  readonly session: string
  readonly fingerprint: string
  readonly historical: boolean
  readonly receivedAt: number
  readonly frames: readonly NewFrame[]
  readonly events: readonly IncidentEvent[]
  /** Sequence numbers that will never come; counted as received. */
  readonly skipped: readonly SeqRange[]
}

export interface AppendResult {
  /** All that is durably stored of the delivery's session, this delivery included. */
  readonly stored: SeqSet
  /** Frames that were new; duplicates are left out. */
  readonly frames: readonly EmbeddedFrame[]
  /** Incidents that this delivery changed. */
  readonly incidents: readonly Incident[]
  readonly duplicates: number
}

export interface FrameFilter {
  readonly site?: string | undefined
  readonly node?: string | undefined
  readonly camera?: string | undefined
  /** Of one of these sites. */
  readonly sites?: readonly string[] | undefined
  /** Of one of these cameras, each `site/node/camera`. */
  readonly cameras?: readonly string[] | undefined
  /** Of what the caller may see, besides: globs `SITE`, `SITE/NODE` or `SITE/NODE/CAMERA`. See `Scope`. */
  readonly scope?: readonly string[] | undefined
  /** Captured at or after, milliseconds since the epoch. */
  readonly from?: number | undefined
  /** Captured before, milliseconds since the epoch. */
  readonly to?: number | undefined
  /** Judged by this rule. */
  readonly rule?: string | undefined
  /** Whether that rule fired; without a rule, whether any did. */
  readonly fired?: boolean | undefined
  readonly tag?: string | undefined
}

/** Tags given to frames and taken from them; `remove` first. */
export interface TagChange {
  /** Ids; those of frames that are not stored are passed over. */
  readonly frames: readonly string[]
  readonly add: readonly string[]
  readonly remove: readonly string[]
}

export interface TagCount {
  readonly tag: string
  readonly frames: number
}

export type CameraName = Pick<Frame, 'site' | 'node' | 'camera'>

/** Of numbers of frames: above `after`, up to `upTo`, of one camera or all; the first `limit`. */
export interface OrdRange {
  readonly camera?: CameraName | undefined
  readonly after?: number | undefined
  readonly upTo?: number | undefined
  readonly newestFirst?: boolean | undefined
  readonly limit: number
}

/** One step of deleting: `rows` frames above `after` are looked at, those that match are deleted. */
export interface FrameDeletion {
  readonly filter: FrameFilter
  readonly after: number
  /** Newest ord that may be deleted; undefined: no limit. */
  readonly upTo?: number | undefined
  readonly rows: number
}

export interface DeletedFrames {
  readonly ords: readonly number[]
  readonly thumbnails: number
  /** Of vectors and thumbnails. */
  readonly bytes: number
  /** Hub time at which the oldest of them came, milliseconds since the epoch; undefined when there are none. */
  readonly receivedFrom: number | undefined
  /** `after` of the next step; undefined when this was the last. */
  readonly next: number | undefined
}

/** A frame's thumbnail, without its bytes. */
export type StoredPicture = Pick<Frame, 'ord' | 'id' | 'site' | 'capturedAt'> & { readonly blurred: boolean }

export interface PictureChange {
  readonly ord: number
  /** Blurred; undefined: none any more. */
  readonly thumbnail: Uint8Array | undefined
}

export interface DeletedIncidents {
  readonly incidents: number
  readonly reviews: number
  /** Whether the limit was reached. */
  readonly more: boolean
}

export interface IncidentFilter extends FrameFilter {
  readonly rule?: string | undefined
  readonly open?: boolean | undefined
  readonly reviewed?: boolean | undefined
}

export const REVIEW_VERDICTS = ['confirm', 'dismiss', 'relabel'] as const

/** What a person said of an incident. */
export interface Review {
  readonly incident: string
  readonly verdict: (typeof REVIEW_VERDICTS)[number]
  /** Of `relabel`: the rule that should have raised it. Null otherwise. */
  readonly rule: string | null
  readonly note: string | null
  /** Hub time, milliseconds since the epoch. */
  readonly at: number
  /** What it says of frames. */
  readonly labels: readonly FrameLabel[]
}

export interface FrameLabel {
  /** Id of the frame. */
  readonly frame: string
  readonly rule: string
  /** Whether the frame shows what the rule looks for. */
  readonly positive: boolean
}

export interface Label extends FrameLabel {
  /** The incident whose review gave it. */
  readonly incident: string
  readonly at: number
}

/** What a hub knows of a node, besides its records. */
export interface NodeRecord {
  readonly site: string
  readonly node: string
  readonly firstSeenAt: number
  /** Newest message of any kind, hub time. */
  readonly lastSeenAt: number
  /** Newest frame, hub time; null before the first. */
  readonly lastDataAt: number | null
  readonly state: NodeState | null
  readonly stats: NodeStats | null
}

export interface RuleDocument {
  readonly version: number
  readonly updatedAt: number
  readonly rules: readonly Rule[]
}

export interface StoreCounts {
  readonly frames: number
  readonly incidents: number
  readonly thumbnails: number
}

/**
 * Where the frames lie, for worker threads that read them by themselves (`openFrameReader`). Can be sent to a thread.
 */
export type FrameSource = { readonly kind: 'lmdb'; readonly dir: string }

/** Port: the durable truth of a hub. Everything else (indexes, caches, views) can be rebuilt from it. */
export interface RecordStore {
  /**
   * Stores a delivery durably: when the promise resolves, a power cut loses nothing of it. Concurrent calls share one
   * commit. Idempotent by (site, node, session, seq).
   * @throws STORE_FAILED when it could not be stored; nothing of it is then visible.
   * @throws PAYLOAD_INVALID when it contradicts what is stored: another device's incident, thousands of gaps.
   */
  append(delivery: Delivery): Promise<AppendResult>
  /** What is stored of a session; `upTo` 0 for one never seen. */
  stored(site: string, node: string, session: string): SeqSet
  frame(id: string): EmbeddedFrame | undefined
  /** Of the frame with this id, without reading it. */
  ordOf(id: string): number | undefined
  frameByOrd(ord: number): EmbeddedFrame | undefined
  thumbnail(id: string): Uint8Array | undefined
  /** Thumbnails of frames above `after`, in storage order. */
  pictures(after: number, limit: number): StoredPicture[]
  /** Replaces thumbnails by blurred ones or removes them, durably; what is gone meanwhile stays gone. @throws STORE_FAILED */
  putPictures(changes: readonly PictureChange[]): Promise<void>
  /** Frames in storage order with `ord` > `after`. */
  scan(after: number): Iterable<EmbeddedFrame>
  frameSource(): FrameSource
  /** Newest number ever given to a frame, also when that frame is deleted; 0 before the first. */
  lastOrd(): number
  ords(range: OrdRange): number[]
  /** Cameras that have frames. */
  cameras(): CameraName[]
  /**
   * Deletes frames with their vectors and thumbnails, durably, oldest first and a step at a time, so that nobody waits
   * for long. What is deleted stays deleted: its numbers count as received when the device sends them again.
   * @throws STORE_FAILED when the step could not be stored; nothing of it is then deleted
   */
  deleteFrames(deletion: FrameDeletion): Promise<DeletedFrames>
  /** What a step of `deleteFrames` would delete. */
  measureFrames(deletion: FrameDeletion): DeletedFrames
  /** Incidents that `deleteIncidents` would delete, and their reviews. */
  measureIncidents(filter: IncidentFilter): Omit<DeletedIncidents, 'more'>
  /** Deletes incidents that began and ended within the filter's time, and their reviews; `limit` of them. @throws STORE_FAILED */
  deleteIncidents(filter: IncidentFilter, limit: number): Promise<DeletedIncidents>
  /** Forgets what a node said of itself; true when it was known. Its records are deleted apart. @throws STORE_FAILED */
  deleteNode(site: string, node: string): Promise<boolean>
  /** Durable when it resolves, with how many frames it changed. @throws TAG_LIMIT: nothing is then changed; STORE_FAILED */
  changeTags(change: TagChange): Promise<number>
  /** Numbers of frames with the tag, ascending, the first `limit` above `after`. */
  tagged(tag: string, after: number, limit: number): number[]
  /** By name. */
  tags(): TagCount[]
  /** Newest first by storage order. */
  recent(filter: FrameFilter, limit: number): Frame[]
  incident(id: string): Incident | undefined
  /** Newest first by start. */
  incidents(filter: IncidentFilter, limit: number): Incident[]
  /** Durable when it resolves; replaces an earlier review of the incident, its labels included. @throws STORE_FAILED */
  putReview(review: Review): Promise<void>
  /** Takes a review back, its labels included; resolves with what it was. @throws STORE_FAILED */
  removeReview(incident: string): Promise<Review | undefined>
  review(incident: string): Review | undefined
  /** Newest first. */
  labels(filter: { readonly rule?: string | undefined }, limit: number): Label[]
  nodes(): NodeRecord[]
  node(site: string, node: string): NodeRecord | undefined
  /** Merges what is given into the node's record. */
  updateNode(
    site: string,
    node: string,
    change: Partial<Pick<NodeRecord, 'state' | 'stats'>> & { seenAt: number },
  ): Promise<void>
  rules(): RuleDocument | undefined
  putRules(document: RuleDocument): Promise<void>
  /** Keeps an undecodable payload for inspection, newest `limit` only. */
  quarantine(entry: QuarantineEntry): Promise<void>
  quarantined(): QuarantineEntry[]
  /** Deletes those for which it is true; resolves with how many. @throws STORE_FAILED */
  deleteQuarantined(matches: (entry: QuarantineEntry) => boolean): Promise<number>
  counts(): StoreCounts
  close(): Promise<void>
}

export interface QuarantineEntry {
  readonly at: number
  readonly topic: string
  readonly reason: string
  /** First bytes of the payload, at most 4 KiB. */
  readonly head: Uint8Array
  readonly bytes: number
}

export function frameId(site: string, node: string, session: string, seq: number): string {
  return `${site}~${node}~${session}~${seq}`
}
