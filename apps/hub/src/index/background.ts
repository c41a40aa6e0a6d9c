import { TopK } from './top-k.ts'

const SIZE = 512
/** More frames of other models than this among the drawn ones leave the sample smaller after a restart. */
const CANDIDATES = 4 * SIZE

/**
 * What stored frames typically look like: a sample of up to 512 vectors, drawn evenly. A frame belongs to it while the
 * hash of its ord is among the smallest (a bottom-k sketch: Cohen and Kaplan 2007), so that the sample depends on what
 * is stored and neither on the order of arrival nor on restarts.
 */
export class Background {
  readonly #size: number
  /** By descending hash: the first to leave stands first. */
  readonly #sample: { readonly ord: number; readonly hash: number; readonly vector: Float32Array }[] = []

  constructor(size = SIZE) {
    this.#size = size
  }

  get size(): number {
    return this.#sample.length
  }

  get vectors(): Float32Array[] {
    return this.#sample.map(({ vector }) => vector)
  }

  add(ord: number, vector: Float32Array): void {
    const hash = hashOf(ord)
    if (this.#sample.length === this.#size) {
      if (hash >= this.#sample[0]!.hash) return
      this.#sample.shift()
    }
    const at = this.#sample.findIndex(known => known.hash < hash)
    this.#sample.splice(at < 0 ? this.#sample.length : at, 0, { ord, hash, vector: vector.slice() })
  }

  /** Deleted frames leave the sample; their places are drawn anew as frames come, or at the next start. */
  remove(ords: readonly number[]): void {
    const gone = new Set(ords)
    for (let at = this.#sample.length - 1; at >= 0; at--)
      if (gone.has(this.#sample[at]!.ord)) this.#sample.splice(at, 1)
  }

  /** Draws from ords 1 to `lastOrd` without reading them all: only the drawn ones are looked up. */
  restore(lastOrd: number, vectorOf: (ord: number) => Float32Array | undefined): void {
    const lowest = new TopK(CANDIDATES)
    for (let ord = 1; ord <= lastOrd; ord++) lowest.offer(ord, -hashOf(ord))
    for (const { ord } of lowest.hits()) {
      if (this.#sample.length === this.#size) return
      const vector = vectorOf(ord)
      if (vector !== undefined) this.add(ord, vector)
    }
  }
}

/** A 32-bit mix of the ord: spread by the golden ratio, then MurmurHash3's finaliser (A. Appleby, public domain). */
function hashOf(ord: number): number {
  let mixed = Math.imul((ord % 2 ** 32) ^ Math.floor(ord / 2 ** 32), 0x9e3779b1) + 0x7f4a7c15
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
