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
  readonly vectors: readonly Float32Array[]
  /** Not stored ones, each farther from its scene than that scene's frames are, as a sentence is from pictures. */
  readonly queries: readonly Float32Array[]
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
  return {
    vectors: Array.from({ length: count }, (_, i) =>
      near(scenes[Math.floor(i / FRAMES_PER_SCENE)]!, FRAME_SPREAD, random),
    ),
    queries: Array.from({ length: queries }, () => near(sceneOf(), QUERY_SPREAD, random)),
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
