import { buildClassifier, classify } from '@sightline/core/clip/zero-shot.js'
import { describe, expect, test } from 'vitest'
import { colourModel, DIM } from './colour-model.ts'
import { textRow } from './tiny-model.ts'

const tiny = colourModel()

describe('the zero-shot classifier', () => {
  test('averages the templates of a class and scores by softmax', async () => {
    const classifier = await buildClassifier(tiny.model, ['red', 'blue'], ['a {}', '{} thing'])
    const wanted = (colour: string) => {
      const texts = [
        ['[CLS]', 'a', colour, '[SEP]'],
        ['[CLS]', colour, 'thing', '[SEP]'],
      ]
      const units = texts.map(tokens => unit(sum(tokens.map(token => textRow(token, DIM)))))
      return unit(sum(units))
    }
    for (const [i, colour] of ['red', 'blue'].entries()) {
      for (const [d, value] of wanted(colour).entries())
        expect(classifier.vectors[i]![d]).toBeCloseTo(value, 5)
    }
    const scores = classify(classifier.vectors[0]!, classifier)
    expect(scores.map(({ label }) => label)).toEqual(['red', 'blue'])
    expect(scores[0]!.similarity).toBeCloseTo(1, 5)
    expect(scores[0]!.probability + scores[1]!.probability).toBeCloseTo(1, 6)
    const gap = scores[0]!.similarity - scores[1]!.similarity
    expect(scores[0]!.probability).toBeCloseTo(1 / (1 + Math.exp(-10 * gap)), 5)
  })

  test('bears a logit scale of 100', () => {
    const classifier = {
      labels: ['a', 'b'],
      vectors: [Float32Array.of(1, 0), Float32Array.of(-1, 0)],
      logitScale: 100,
      fingerprint: 'x',
    }
    expect(classify(Float32Array.of(1, 0), classifier).map(({ probability }) => probability)).toEqual([
      1,
      expect.closeTo(0, 10),
    ])
  })

  test.each([
    [[], ['a {}']],
    [['red'], []],
    [['red'], ['a photo']],
  ])('refuses %j in %j', async (classes, templates) => {
    await expect(buildClassifier(tiny.model, classes, templates)).rejects.toMatchObject({
      code: 'TEXT_INVALID',
    })
  })
})

function sum(rows: Float32Array[]): number[] {
  return Array.from({ length: DIM }, (_, d) => rows.reduce((total, row) => total + row[d]!, 0))
}

function unit(row: number[]): Float32Array {
  const norm = Math.hypot(...row)
  return Float32Array.from(row, value => value / norm)
}
