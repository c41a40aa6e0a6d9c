import { createHash } from 'node:crypto'
import { type ClipModel, type Clock, fault, type Rule, thumbnail, vectorToBytes } from '@sightline/core'
import { sourceMatches, timeMatches } from '../store/frame-filter.ts'
import type { FrameFilter, RecordStore } from '../store/record-store.ts'
import { type ExampleRow, type RuleDatabase, vectorOf } from './rule-tables.ts'

/** Longest side of the picture that is kept, in pixels: twice what the usual models look at, some 40 KiB. */
const MAX_SIDE_PX = 512
/** Some 200 MiB of pictures. */
const MAX_EXAMPLES = 4096
/** Uploads in work at once; each holds a decoded picture. */
const MAX_UPLOADS = 4

export type PictureModel = Pick<ClipModel, 'fingerprint' | 'encodeImages'>

export interface KeptExample {
  readonly id: string
  /** Hub time, milliseconds since the epoch. */
  readonly at: number
  readonly hasPicture: boolean
}

export interface ExamplesOptions {
  readonly db: RuleDatabase
  readonly store: Pick<RecordStore, 'frame' | 'thumbnail'>
  readonly clock: Clock
  readonly maxExamples?: number
}

/**
 * Pictures that rules name: uploaded ones, and copies of stored frames, so that a rule outlives the frames it was shown.
 * Vectors are kept by model; one that is missing is made of the kept picture.
 */
export class Examples {
  readonly #db: RuleDatabase
  readonly #store: ExamplesOptions['store']
  readonly #clock: Clock
  readonly #max: number
  #uploads = 0

  constructor({ db, store, clock, maxExamples = MAX_EXAMPLES }: ExamplesOptions) {
    this.#db = db
    this.#store = store
    this.#clock = clock
    this.#max = maxExamples
  }

  /**
   * Keeps an uploaded picture; the same file again is the same example.
   * @param inUse examples that rules name; when there is no room, the oldest of the others is forgotten
   * @throws IMAGE_INVALID, IMAGE_TOO_LARGE; API_BUSY; RULES_EXAMPLES_FULL; MODEL_*; STORE_FAILED
   */
  async upload(image: Uint8Array, model: PictureModel, inUse: ReadonlySet<string>): Promise<string> {
    if (this.#uploads >= MAX_UPLOADS) throw fault('API_BUSY', `${MAX_UPLOADS} examples are being taken in`)
    this.#uploads++
    try {
      const id = `ex:${createHash('sha256').update(image).digest('hex').slice(0, 32)}`
      const [[vector], picture] = [await model.encodeImages([image]), await thumbnail(image, MAX_SIDE_PX)]
      await this.#put({ id, picture, vector: vector!, fingerprint: model.fingerprint }, inUse)
      return id
    } finally {
      this.#uploads--
    }
  }

  /** Whether a rule may name it: an example that is kept, or a frame that is stored. */
  has(id: string): boolean {
    return this.#db.tables.examples.doesExist(id) || this.#store.frame(id) !== undefined
  }

  /** Copies the stored frames among them. @throws RULES_EXAMPLES_FULL, STORE_FAILED */
  async keep(ids: ReadonlySet<string>): Promise<void> {
    for (const id of ids) {
      if (this.#db.tables.examples.doesExist(id)) continue
      const frame = this.#store.frame(id)
      if (frame === undefined) continue
      const { vector, fingerprint, site, node, camera, capturedAt } = frame
      const source = { site, node, camera, capturedAt }
      await this.#put({ id, picture: this.#store.thumbnail(id), vector, fingerprint, source }, ids)
    }
  }

  /** Copies of stored frames that the filter names, whether or not those frames are still stored. */
  copiesOf(filter: FrameFilter): string[] {
    return [...this.#db.tables.examples.getRange()]
      .filter(
        ({ value: { source } }) =>
          source && sourceMatches(filter, source) && timeMatches(filter, source.capturedAt),
      )
      .map(({ key }) => key)
  }

  /** Picture and vectors; no rule may name them any more. @throws STORE_FAILED */
  async forget(ids: readonly string[]): Promise<void> {
    await this.#db.write(() => {
      for (const id of ids) this.#remove(id)
    })
  }

  /** Newest first. */
  list(limit: number): KeptExample[] {
    const { examples, pictures } = this.#db.tables
    return [...examples.getRange()]
      .sort((a, b) => b.value.ord - a.value.ord)
      .slice(0, limit)
      .map(({ key, value }) => ({ id: key, at: value.at, hasPicture: pictures.doesExist(key) }))
  }

  /** JPEG of at most 512 pixels a side. */
  picture(id: string): Uint8Array | undefined {
    return this.#db.tables.pictures.get(id)
  }

  /**
   * In the space of this model; undefined when only another model's vector is known and no picture was kept.
   * @throws MODEL_*, STORE_FAILED
   */
  async vector(id: string, model: Pick<PictureModel, 'fingerprint'> & Partial<PictureModel>) {
    const { exampleVectors } = this.#db.tables
    const known = exampleVectors.get([id, model.fingerprint])
    if (known !== undefined) return vectorOf(known)
    const frame = this.#store.frame(id)
    if (frame?.fingerprint === model.fingerprint) return frame.vector
    const picture = this.picture(id) ?? this.#store.thumbnail(id)
    if (picture === undefined || model.encodeImages === undefined) return undefined
    const [vector] = await model.encodeImages([new Uint8Array(picture)])
    if (this.#db.tables.examples.doesExist(id)) {
      const bytes = Buffer.from(vectorToBytes(vector!))
      await this.#db.write(() => exampleVectors.put([id, model.fingerprint], bytes))
    }
    return vector
  }

  #put(
    example: {
      readonly id: string
      readonly picture: Uint8Array | undefined
      readonly vector: Float32Array
      readonly fingerprint: string
      readonly source?: ExampleRow['source']
    },
    inUse: ReadonlySet<string>,
  ): Promise<void> {
    const { id, picture, vector, fingerprint, source } = example
    const { examples, pictures, exampleVectors, counters } = this.#db.tables
    return this.#db.write(() => {
      exampleVectors.put([id, fingerprint], Buffer.from(vectorToBytes(vector)))
      if (examples.doesExist(id)) return
      this.#makeRoom(inUse)
      const ord = (counters.get('example') ?? 0) + 1
      counters.put('example', ord)
      examples.put(id, { at: this.#clock.now(), ord, ...(source === undefined ? {} : { source }) })
      if (picture !== undefined) pictures.put(id, Buffer.from(picture))
    })
  }

  /** Inside a transaction. */
  #makeRoom(inUse: ReadonlySet<string>): void {
    const { examples } = this.#db.tables
    const { entryCount } = examples.getStats() as { entryCount: number }
    if (entryCount < this.#max) return
    const [oldest] = [...examples.getRange()]
      .filter(({ key }) => !inUse.has(key))
      .sort((a, b) => a.value.ord - b.value.ord)
    if (oldest === undefined)
      throw fault('RULES_EXAMPLES_FULL', `rules name all of the ${this.#max} examples that are kept`)
    this.#remove(oldest.key)
  }

  /** Inside a transaction. */
  #remove(id: string): void {
    const { examples, pictures, exampleVectors } = this.#db.tables
    examples.remove(id)
    pictures.remove(id)
    const vectors = exampleVectors.getKeys({ start: [id, ''], end: [id, '\uffff'] })
    for (const key of [...vectors]) exampleVectors.remove(key)
  }
}

/** All examples that these rules name. */
export function examplesOf(
  rules: readonly Pick<Rule, 'positiveExamples' | 'negativeExamples'>[],
): Set<string> {
  return new Set(rules.flatMap(rule => [...rule.positiveExamples, ...rule.negativeExamples]))
}

/** The rule without the examples that are not kept. */
export function withExamples(rule: Rule, keep: (id: string) => boolean): Rule {
  const { positiveExamples, negativeExamples } = rule
  return {
    ...rule,
    positiveExamples: positiveExamples.filter(keep),
    negativeExamples: negativeExamples.filter(keep),
  }
}
