import { parseUplinkTopic } from '@sightline/core'
import type { Commands } from '../fleet/commands.ts'
import { checkFilter, type Erased, type Eraser } from '../retention/eraser.ts'
import type { Examples } from '../rules/examples.ts'
import type { RuleDesk } from '../rules/rule-desk.ts'
import type { AuditLog } from '../store/audit-log.ts'
import { sourceMatches, timeMatches } from '../store/frame-filter.ts'
import type { FrameFilter, QuarantineEntry, RecordStore } from '../store/record-store.ts'
import type { FoundSnapshot, SnapshotLedger } from '../store/snapshot-ledger.ts'

/** What was deleted for good, or would be. */
export interface Forgotten extends Omit<Erased, 'receivedFrom'> {
  /** Copies of stored frames that rules name. */
  readonly examples: number
  /** Pictures and logs that devices answered commands with. */
  readonly commandResults: number
  /** Unreadable messages. */
  readonly quarantined: number
  /** Known ones that may still hold it, newest first. */
  readonly snapshots: readonly FoundSnapshot[]
}

/** Whatever lies elsewhere than in the store and the index, and tells of frames. */
export interface FrameReferences {
  readonly examples: Pick<Examples, 'copiesOf'>
  readonly rules: Pick<RuleDesk, 'forgetExamples'>
  readonly commands: Pick<Commands, 'countResults' | 'forgetResults'>
  readonly store: Pick<RecordStore, 'quarantined' | 'deleteQuarantined'>
  /** Undefined where rules do not learn from reviews. */
  readonly learner: { notice(): void } | undefined
}

export interface ForgetterOptions {
  readonly eraser: Pick<Eraser, 'erase' | 'measure'>
  readonly references: FrameReferences
  readonly snapshots: Pick<SnapshotLedger, 'list'>
  readonly audit: Pick<AuditLog, 'record'>
}

/**
 * Deletes a device, a camera or a time range on somebody's word, with all that refers to it, and says how much that was
 * and where it still lies. May be called again when it failed half-way. Retention does less: what a person chose as an
 * example of a rule outlives its frame there.
 */
export class Forgetter {
  readonly #options: ForgetterOptions

  constructor(options: ForgetterOptions) {
    this.#options = options
  }

  /** What `forget` would delete. @throws API_BAD_REQUEST on a filter that names nothing */
  async measure(filter: FrameFilter): Promise<Forgotten> {
    const { eraser, references } = this.#options
    const { examples, commands, store } = references
    const { receivedFrom, ...counts } = await eraser.measure(filter)
    return {
      ...counts,
      examples: examples.copiesOf(filter).length,
      commandResults: commands.countResults(filter),
      quarantined: store.quarantined().filter(entry => tellsOf(filter, entry)).length,
      snapshots: this.#snapshotsSince(receivedFrom),
    }
  }

  /** @throws API_BAD_REQUEST on a filter that names nothing; STORE_FAILED, MODEL_* */
  async forget(filter: FrameFilter, actor: string): Promise<Forgotten> {
    checkFilter(filter)
    const { eraser, references, audit } = this.#options
    const { examples, rules, commands, store, learner } = references
    const copies = examples.copiesOf(filter)
    if (copies.length > 0) await rules.forgetExamples(copies, actor)
    const commandResults = await commands.forgetResults(filter)
    const quarantined = await store.deleteQuarantined(entry => tellsOf(filter, entry))
    const { receivedFrom, ...erased } = await eraser.erase(filter)
    // What rules learnt from reviews that are gone, they unlearn.
    if (erased.reviews > 0) learner?.notice()
    const counts = { ...erased, examples: copies.length, commandResults, quarantined }
    const snapshots = this.#snapshotsSince(receivedFrom)
    const detail = { ...counts, snapshots: snapshots.length }
    await audit.record({ actor, action: 'records.erased', subject: subjectOf(filter), detail })
    return { ...counts, snapshots }
  }

  /** Of frames that are gone already it is not known when they came: any snapshot may hold them. */
  #snapshotsSince(receivedFrom = 0): FoundSnapshot[] {
    return this.#options.snapshots.list().filter(({ createdAt }) => Date.parse(createdAt) >= receivedFrom)
  }
}

/** A message that could not be read says of what device it is, and when it came, but of no camera. */
function tellsOf(filter: FrameFilter, { topic, at }: QuarantineEntry): boolean {
  if (filter.camera !== undefined) return false
  const [, site, node] = /^emb of ([^/]+)\/([^,]+),/.exec(topic) ?? []
  const of = site === undefined || node === undefined ? parseUplinkTopic(topic) : { site, node }
  return of !== undefined && sourceMatches(filter, { ...of, camera: '' }) && timeMatches(filter, at)
}

function subjectOf(filter: FrameFilter): string {
  return Object.entries(filter)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) =>
      name === 'from' || name === 'to'
        ? `${name}=${new Date(value as number).toISOString()}`
        : `${name}=${value}`,
    )
    .join(' ')
}
