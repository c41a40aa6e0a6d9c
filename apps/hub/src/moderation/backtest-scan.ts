import type { CompiledRule, RuleBundle } from '@sightline/core'
import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'
import { ruleEvidence } from '@sightline/core/moderation/rule-evidence.js'
import { SimilarityKernel } from '@sightline/core/moderation/similarity-kernel.js'
import { sourceMatches } from '../store/frame-filter.ts'
import type { FrameReader } from '../store/frame-reader.ts'
import type { FrameRow } from '../store/lmdb-tables.ts'
import type { FrameFilter } from '../store/record-store.ts'

const KERNEL_BATCH = 256

/** What to look for; can be sent to a thread. */
export interface ScanPlan {
  /** One rule, and its rows only. */
  readonly bundle: RuleBundle
  readonly filter: FrameFilter
  /** Devices that get the rule; default: all. */
  readonly audience?: ScanAudience | undefined
}

export interface ScanAudience {
  /** Globs. */
  readonly sites: readonly string[]
  readonly groups: readonly string[]
  /** site~node -> its group; a device that is not there is taken to be of the right one. */
  readonly groupOf: Readonly<Record<string, string>>
}

/** Frames of one stretch of the store that the rule is for, a column each; in shared memory, so that threads pass them on for nothing. */
export interface ScanColumns {
  /** Frames looked at, matching or not. */
  readonly scanned: number
  /** Matching frames that another model embedded. */
  readonly otherModels: number
  readonly count: number
  readonly ords: Float64Array
  readonly capturedAt: Float64Array
  /** Index into `names`. */
  readonly sources: Uint32Array
  /** Raw cosine of the best positive. */
  readonly similarities: Float32Array
  /** `ruleEvidence`, without background or calibration. */
  readonly logits: Float32Array
  /** 1 where a positive, prompt or example, is near enough for the score to count. */
  readonly reached: Uint8Array
  /** site~node~camera */
  readonly names: readonly string[]
}

/** Puts one rule to stretches of the store. Keeps its names between them. */
export class BacktestScan {
  readonly #reader: FrameReader
  readonly #plan: ScanPlan
  readonly #rule: CompiledRule
  readonly #kernel: SimilarityKernel
  readonly #sources = new Map<string, number | undefined>()
  readonly #names: string[] = []

  constructor({ reader, plan }: { reader: FrameReader; plan: ScanPlan }) {
    const { bundle } = plan
    this.#reader = reader
    this.#plan = plan
    this.#rule = bundle.rules[0]!
    const matrix = new Float32Array(new Uint8Array(bundle.vectors).buffer)
    this.#kernel = new SimilarityKernel({ matrix, dim: bundle.dim, batch: KERNEL_BATCH })
  }

  /** Frames with `after` < ord <= `upTo`. */
  scan(after: number, upTo: number): ScanColumns {
    const { filter, bundle } = this.#plan
    const columns = newColumns(upTo - after, bytes => new ArrayBuffer(bytes))
    const { from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY } = filter
    let [scanned, otherModels, count, waiting] = [0, 0, 0, 0]
    this.#reader.visit(after, upTo, (ord, frame, vector) => {
      scanned++
      if (frame.capturedAt < from || frame.capturedAt >= to) return
      const source = this.#sourceOf(frame)
      if (source === undefined) return
      if (frame.fingerprint !== bundle.fingerprint) {
        otherModels++
        return
      }
      columns.ords[count] = ord
      columns.capturedAt[count] = frame.capturedAt
      columns.sources[count++] = source
      this.#kernel.load(waiting++, vector())
      if (waiting === KERNEL_BATCH) {
        this.#judge(columns, count - waiting, waiting)
        waiting = 0
      }
    })
    this.#judge(columns, count - waiting, waiting)
    // A narrow filter leaves most of the room empty.
    const found = newColumns(count, bytes => new SharedArrayBuffer(bytes))
    for (const key of ['ords', 'capturedAt', 'sources', 'similarities', 'logits', 'reached'] as const)
      found[key].set(columns[key].subarray(0, count))
    return { ...found, scanned, otherModels, count, names: [...this.#names] }
  }

  #judge(into: Pick<ScanColumns, 'similarities' | 'logits' | 'reached'>, start: number, count: number): void {
    const kernel = this.#kernel
    const { bundle } = this.#plan
    kernel.run(count)
    let at = 0
    const similarityOf = (row: number) => kernel.similarity(at, row)
    for (; at < count; at++) {
      const { similarity, logit, reached } = ruleEvidence(this.#rule, bundle, similarityOf)
      into.similarities[start + at] = similarity
      into.logits[start + at] = logit
      into.reached[start + at] = Number(reached)
    }
  }

  /** Number of the frame's camera; undefined when neither filter nor rule asks for it. */
  #sourceOf({ site, node, camera }: FrameRow): number | undefined {
    const name = `${site}~${node}~${camera}`
    if (this.#sources.has(name)) return this.#sources.get(name)
    const { filter, audience } = this.#plan
    const group = audience?.groupOf[`${site}~${node}`]
    const wanted =
      sourceMatches(filter, { site, node, camera }) &&
      matchesCamera(this.#rule.cameras, camera) &&
      (audience === undefined ||
        (matchesCamera(audience.sites, site) &&
          (group === undefined || matchesCamera(audience.groups, group))))
    const number = wanted ? this.#names.push(name) - 1 : undefined
    this.#sources.set(name, number)
    return number
  }
}

function newColumns(count: number, memory: (bytes: number) => ArrayBufferLike) {
  return {
    ords: new Float64Array(memory(count * 8)),
    capturedAt: new Float64Array(memory(count * 8)),
    sources: new Uint32Array(memory(count * 4)),
    similarities: new Float32Array(memory(count * 4)),
    logits: new Float32Array(memory(count * 4)),
    reached: new Uint8Array(memory(count)),
  }
}
