import { l2Normalize } from '@sightline/core'
import type { IndexEntry } from '@sightline/hub/index/vector-index.js'

/** Numbers in [0, 1) that are the same in every run (mulberry32, T. Ettinger). */
export function seededRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A direction drawn uniformly. */
export function randomUnit(dim: number, random: () => number): Float32Array {
  return l2Normalize(Float32Array.from({ length: dim }, () => gaussian(random)))
}

/** Near `centre`; `spread` is the length of the noise beside the centre's 1. */
export function nearUnit(centre: Float32Array, spread: number, random: () => number): Float32Array {
  const scale = spread / Math.sqrt(centre.length)
  return l2Normalize(centre.map(value => value + scale * gaussian(random)))
}

/** `count` entries from ord `first` on, a second apart, from ten sources in turn. */
export function entriesOf(vectors: readonly Float32Array[], first = 1): IndexEntry[] {
  return vectors.map((vector, i) => ({
    ord: first + i,
    vector,
    source: (first + i) % 10,
    capturedAt: 1000 * (first + i),
  }))
}

function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
