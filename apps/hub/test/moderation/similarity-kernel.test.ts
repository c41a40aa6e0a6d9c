import { dot, vectorToBytes } from '@sightline/core'
import { SimilarityKernel } from '@sightline/hub/moderation/similarity-kernel.js'
import { describe, expect, it } from 'vitest'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

describe('SimilarityKernel', () => {
  it.each([
    [8, 1, 3],
    [10, 4, 5],
    [512, 21, 64],
    [768, 6, 1],
  ])('gives the inner products: dim %i, %i prompts, %i frames', (dim, rows, count) => {
    const random = seededRandom(dim * rows)
    const prompts = Array.from({ length: rows }, () => randomUnit(dim, random))
    const frames = Array.from({ length: count }, () => randomUnit(dim, random))
    const matrix = new Float32Array(rows * dim)
    for (const [row, prompt] of prompts.entries()) matrix.set(prompt, row * dim)
    const kernel = new SimilarityKernel({ matrix, dim, batch: 64 })
    // Twice: the second batch must not see the first.
    for (const order of [frames, frames.toReversed()]) {
      for (const [at, frame] of order.entries()) kernel.load(at, vectorToBytes(frame))
      kernel.run(count)
      for (const [at, frame] of order.entries())
        for (const [row, prompt] of prompts.entries())
          expect(Math.abs(kernel.similarity(at, row) - dot(frame, prompt))).toBeLessThan(1e-6)
    }
  })
})
