import { l2Normalize } from '@sightline/core'

/** Numbers in [0, 1) that are the same in every run: xorshift32 (Marsaglia 2003), top 24 bits. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 8) / 2 ** 24
  }
}

export interface ClusteredSet {
  readonly count: number
  /** Not stored ones, each farther from its scene than that scene's frames are, as a sentence is from pictures. */
  readonly queries: readonly Float32Array[]
  /** All vectors in order, so many at a time, the same each time: a million need not be held. */
  portions(size: number): Generator<Float32Array[]>
  /** Further frames of the same scenes. */
  more(count: number): Float32Array[]
}

const TOPICS = 32
const FRAMES_PER_SCENE = 50
/** Length of the noise beside a centre of length 1: cosines of some 0.78, 0.92 and 0.74 to the centre. */
const SCENE_SPREAD = 0.8
const FRAME_SPREAD = 0.43
const QUERY_SPREAD = 0.9

/** Unit vectors as cameras make them: few topics, scenes within a topic, many frames a scene, in order of time. */
export function clusteredSet(count: number, queries: number, dim: number): ClusteredSet {
  const random = seededRandom(20)
  const topics = Array.from({ length: TOPICS }, () => near(new Float32Array(dim), 1, random))
  const scenes = Array.from({ length: Math.ceil(count / FRAMES_PER_SCENE) }, () =>
    near(topics[Math.floor(random() * TOPICS)]!, SCENE_SPREAD, random),
  )
  const sceneOf = () => scenes[Math.floor(random() * scenes.length)]!
  const frameOf = (i: number, frames: () => number) =>
    near(scenes[Math.floor(i / FRAMES_PER_SCENE) % scenes.length]!, FRAME_SPREAD, frames)
  return {
    count,
    queries: Array.from({ length: queries }, () => near(sceneOf(), QUERY_SPREAD, random)),
    portions: function* (size) {
      const frames = seededRandom(21)
      for (let from = 0; from < count; from += size)
        yield Array.from({ length: Math.min(size, count - from) }, (_, i) => frameOf(from + i, frames))
    },
    more: extra => {
      const frames = seededRandom(22)
      return Array.from({ length: extra }, (_, i) => frameOf(i, frames))
    },
  }
}

function near(centre: Float32Array, spread: number, random: () => number): Float32Array {
  const scale = spread / Math.sqrt(centre.length)
  return l2Normalize(centre.map(value => value + scale * gaussian(random)))
}

/** Box and Muller 1958. */
function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
