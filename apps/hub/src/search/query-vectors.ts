import { type ClipModel, dot, fault, isFault, l2Normalize } from '@sightline/core'
import { sourceMatches } from '../store/frame-filter.ts'
import type { EmbeddedFrame, FrameFilter, RecordStore } from '../store/record-store.ts'
import {
  type Contribution,
  DEFAULT_NEGATIVE_WEIGHT,
  MAX_SUBJECTS,
  type SearchQuery,
  type SearchSubject,
  type WeightedSubject,
} from './query.ts'

export type QueryModel = Pick<ClipModel, 'manifest' | 'fingerprint' | 'dim' | 'encodeTexts' | 'encodeImages'>

interface Part {
  readonly role: 'positive' | 'negative'
  readonly subject: string
  readonly weight: number
  /** Of unit length. */
  readonly vector: Float32Array
  /** Of the frame that it is, if it is one. */
  readonly ord: number | undefined
}

/** All that is looked for, as one direction. */
export interface QueryVector {
  /** Of unit length. */
  readonly vector: Float32Array
  /** Frames that the query consists of: they are no hits. */
  readonly own: ReadonlySet<number>
  readonly parts: readonly Part[]
  /** Of the weighted sum before it was scaled to unit length. */
  readonly norm: number
}

/**
 * Turns what is looked for into one unit vector: the sum of the parts' unit vectors by weight, negatives with a minus.
 * The cosine to that sum orders frames as the difference of the weighted cosines does, and one vector is one search.
 */
export class QueryVectors {
  readonly model: QueryModel
  readonly #store: Pick<RecordStore, 'frame'>

  constructor({ model, store }: { model: QueryModel; store: Pick<RecordStore, 'frame'> }) {
    this.model = model
    this.#store = store
  }

  /**
   * @throws API_BAD_REQUEST for a query without a positive, or one whose parts cancel out; API_NOT_FOUND for an unknown
   * id; MODEL_DIM_MISMATCH for a vector or frame of another model; TEXT_INVALID, IMAGE_INVALID, IMAGE_TOO_LARGE
   */
  async combine(query: SearchQuery): Promise<QueryVector> {
    const { text, image, id, vector, positives = [], negatives = [] } = query
    const alone = [text, image, id, vector].some(given => given !== undefined)
    const wanted: WeightedSubject[] = [...(alone ? [{ text, image, id, vector }] : []), ...positives]
    if (wanted.length === 0)
      throw fault('API_BAD_REQUEST', 'nothing is looked for: give text, image, id, vector or positives')
    if (wanted.length + negatives.length > MAX_SUBJECTS)
      throw fault('API_BAD_REQUEST', `at most ${MAX_SUBJECTS} positives and negatives together`)
    const scope = query.filter?.scope
    const parts = await Promise.all([
      ...wanted.map(subject => this.#part('positive', subject, scope)),
      ...negatives.map(subject => this.#part('negative', subject, scope)),
    ])
    const own = new Set(parts.flatMap(({ ord }) => (ord === undefined ? [] : [ord])))
    return { own, parts, ...sumOf(parts, this.model.dim) }
  }

  /** One subject as a unit vector. @throws as `combine` */
  async embed(
    { text, image, id, vector }: SearchSubject,
    scope?: FrameFilter['scope'],
  ): Promise<{ vector: Float32Array; ord?: number }> {
    const { model } = this
    const given = [text, image, id, vector].filter(part => part !== undefined).length
    if (given !== 1)
      throw fault('API_BAD_REQUEST', `give exactly one of text, image, id and vector, not ${given}`)
    if (text !== undefined) return { vector: (await model.encodeTexts([text]))[0]! }
    if (image !== undefined) return { vector: (await model.encodeImages([image]))[0]! }
    if (vector !== undefined) return { vector: this.#direction(vector) }
    return this.frame(id!, scope)
  }

  /** A stored frame of the hub's model; what lies outside the scope is not there. @throws API_NOT_FOUND, MODEL_DIM_MISMATCH */
  frame(id: string, scope?: FrameFilter['scope']): EmbeddedFrame {
    const { fingerprint } = this.model
    const frame = this.#store.frame(id)
    if (frame === undefined || !sourceMatches({ scope }, frame))
      throw fault('API_NOT_FOUND', `there is no frame ${id}`)
    if (frame.fingerprint !== fingerprint)
      throw fault('MODEL_DIM_MISMATCH', `frame ${id} is of ${frame.fingerprint}, the hub runs ${fingerprint}`)
    return frame
  }

  async #part(role: Part['role'], given: WeightedSubject, scope: FrameFilter['scope']): Promise<Part> {
    const { weight = role === 'positive' ? 1 : DEFAULT_NEGATIVE_WEIGHT, ...subject } = given
    const { vector, ord } = await this.embed(subject, scope)
    const name = subject.text ?? subject.id ?? (subject.image === undefined ? 'vector' : 'image')
    return { role, subject: name, weight, vector, ord }
  }

  #direction(given: Float32Array): Float32Array {
    const { dim, fingerprint } = this.model
    if (given.length !== dim)
      throw fault('MODEL_DIM_MISMATCH', `a vector of length ${given.length}; ${fingerprint} has ${dim}`)
    try {
      return l2Normalize(given.slice())
    } catch (cause) {
      if (!isFault(cause, 'MODEL_OUTPUT_INVALID')) throw cause
      throw fault('API_BAD_REQUEST', 'the vector has no direction: it is zero or not finite', { cause })
    }
  }
}

/** How much each part of the query contributes to a frame's similarity. */
export function contributionsTo(vector: Float32Array, { parts, norm }: QueryVector): Contribution[] {
  const terms = parts.map(part => {
    const similarity = dot(part.vector, vector)
    return { ...part, similarity, contribution: (signed(part) * similarity) / norm }
  })
  const whole = terms.reduce((sum, { contribution }) => sum + Math.abs(contribution), 0)
  return terms.map(({ role, subject, weight, similarity, contribution }) => ({
    role,
    subject,
    weight,
    similarity,
    contribution,
    share: whole === 0 ? 0 : Math.abs(contribution) / whole,
  }))
}

function sumOf(parts: readonly Part[], dim: number): Pick<QueryVector, 'vector' | 'norm'> {
  const only = parts.length === 1 ? parts[0] : undefined
  // Not computed anew: the same question must give the same vector, to the last bit.
  if (only !== undefined) return { vector: only.vector, norm: only.weight }
  const sum = new Float32Array(dim)
  for (const part of parts) for (let i = 0; i < dim; i++) sum[i]! += signed(part) * part.vector[i]!
  const norm = Math.sqrt(dot(sum, sum))
  if (norm < 1e-6)
    throw fault('API_BAD_REQUEST', 'positives and negatives cancel out: give the negatives less weight')
  return { vector: l2Normalize(sum), norm }
}

function signed({ role, weight }: Part): number {
  return role === 'positive' ? weight : -weight
}
