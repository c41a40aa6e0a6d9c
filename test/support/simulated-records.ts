import {
  type Address,
  type EmbeddingItem,
  encodeJson,
  encodeMessagePack,
  type IncidentEvent,
  vectorToBytes,
} from '@sightline/core'
import { randomUnit, seededRandom } from './vectors.ts'

export interface VectorSpace {
  readonly fingerprint: string
  readonly dim: number
}

/** Every so many records is an incident, the others are frames. */
const EVENT_EVERY = 16
const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

export function isEvent(seq: number): boolean {
  return seq % EVENT_EVERY === 0
}

/** A ULID that can be told from node and seq, so that an audit finds the incident again. */
export function incidentId(node: string, seq: number): string {
  let hash = 0
  for (const letter of node) hash = (Math.imul(hash, 31) + letter.charCodeAt(0)) >>> 0
  return `01K${base32(hash, 11)}${base32(seq, 12)}`
}

/** Messages of a device whose pictures nobody took. */
export class SimulatedRecords {
  readonly #address: Address
  readonly #session: string
  readonly #space: VectorSpace
  readonly #vectors: Uint8Array[]

  constructor(options: { address: Address; session: string; space: VectorSpace }) {
    this.#address = options.address
    this.#session = options.session
    this.#space = options.space
    const random = seededRandom(options.address.node.length * 7919 + options.space.dim)
    this.#vectors = Array.from({ length: 16 }, () => vectorToBytes(randomUnit(options.space.dim, random)))
  }

  /** An `emb` payload. */
  batch(seqs: readonly number[]): Uint8Array {
    const items = seqs.map(
      (seq): EmbeddingItem => ({
        seq,
        camera: 'yard',
        capturedAt: 1_700_000_000_000 + seq,
        vector: this.#vectors[seq % this.#vectors.length]!,
        verdicts: [],
      }),
    )
    const head = { v: 1, session: this.#session, dtype: 'f32', historical: false, skipped: [] }
    return encodeMessagePack({ ...head, ...this.#space, items })
  }

  /** An `event` payload. */
  event(seq: number): Uint8Array {
    const at = 1_700_000_000_000 + seq
    return encodeJson({
      v: 1,
      session: this.#session,
      seq,
      phase: 'new',
      incident: incidentId(this.#address.node, seq),
      rule: 'fire',
      ruleName: 'Fire',
      rulesVersion: 1,
      severity: 'high',
      camera: 'yard',
      at,
      startedAt: at,
      score: 0.9,
      peakScore: 0.9,
      frames: 1,
      bestFrame: Math.max(1, seq - 1),
    } satisfies IncidentEvent)
  }
}

function base32(value: number, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32))
    text = CROCKFORD[rest % 32] + text
  return text
}
