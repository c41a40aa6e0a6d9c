import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ClipModel, loadModel } from '@sightline/core/clip/model.js'
import sharp from 'sharp'
import { afterAll, beforeAll } from 'vitest'
import { writeTinyModel } from './tiny-model.ts'

export const DIM = 8

export interface ColourModel {
  /** Directory that the test may write to; the model is in `tiny`. */
  readonly root: string
  readonly model: ClipModel
}

/** A model for all tests of a file in which red, green and blue each have a direction of their own. */
export function colourModel(): ColourModel {
  let root: string
  let model: ClipModel
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'sightline-model-'))
    const imageWeights = new Float32Array(3 * DIM)
    for (let c = 0; c < 3; c++) imageWeights[c * DIM + c] = 1
    await writeTinyModel(join(root, 'tiny'), { dim: DIM, imageWeights })
    model = await loadModel({ dir: join(root, 'tiny'), threads: 1, maxBatch: 4 })
  })
  afterAll(async () => {
    await model.close()
    await rm(root, { recursive: true })
  })
  return {
    get root() {
      return root
    },
    get model() {
      return model
    },
  }
}

/** A picture of one colour. */
export function flat(background: string): Promise<Buffer> {
  return sharp({ create: { width: 20, height: 30, channels: 3, background } })
    .png()
    .toBuffer()
}

export function axis(i: number): number[] {
  return Array.from({ length: DIM }, (_, d) => (d === i ? 1 : 0))
}
