import { dot, vectorToBytes } from '@sightline/core'
import { SimilarityKernel, similarity } from '@sightline/core/moderation/similarity-kernel.js'
import { describe, expect, it } from 'vitest'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

describe('SimilarityKernel', () => {
  it.each([
    [8, 1, 3],
    [10, 4, 5],
    [13, 9, 2],
    [512, 21, 64],
    [768, 6, 1],
  ])(
    'gives the bits of `similarity`, which are the inner products: dim %i, %i prompts, %i frames',
    (dim, rows, count) => {
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
          for (const [row, prompt] of prompts.entries()) {
            expect(kernel.similarity(at, row)).toBe(similarity(matrix, row, frame))
            expect(Math.abs(kernel.similarity(at, row) - dot(frame, prompt))).toBeLessThan(1e-6)
          }
      }
    },
  )

  it.each([
    [0, 21],
    [0, 5],
    [5, 6],
    [20, 21],
    [3, 17],
  ])('compares rows from %i up to %i alone and keeps what it had of the others', (from, to) => {
    const [dim, rows] = [48, 21]
    const random = seededRandom(from + to)
    const matrix = new Float32Array(rows * dim)
    for (let row = 0; row < rows; row++) matrix.set(randomUnit(dim, random), row * dim)
    const [old, other, now] = [0, 1, 2].map(() => randomUnit(dim, random))
    const kernel = new SimilarityKernel({ matrix, dim, batch: 2 })
    kernel.load(0, vectorToBytes(other!))
    kernel.load(1, vectorToBytes(old!))
    kernel.run(2)
    kernel.load(1, vectorToBytes(now!))
    kernel.runRows(1, from, to)
    for (let row = 0; row < rows; row++) {
      const grouped = row >= from - (from % 4) && row < Math.ceil(to / 4) * 4
      expect(kernel.similarity(1, row)).toBe(similarity(matrix, row, grouped ? now! : old!))
      expect(kernel.similarity(0, row)).toBe(similarity(matrix, row, other!))
    }
  })

  it('compares nothing where there is no row', () => {
    const kernel = new SimilarityKernel({ matrix: new Float32Array(0), dim: 8, batch: 1 })
    kernel.load(0, vectorToBytes(randomUnit(8, seededRandom(1))))
    kernel.runRows(0, 0, 0)
    kernel.run(1)
  })
})
