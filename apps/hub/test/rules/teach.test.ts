import { learnFromLabels } from '@sightline/core/moderation/few-shot.js'
import { teachOnThread } from '@sightline/hub/rules/teach.js'
import { expect, test } from 'vitest'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

test('a thread learns what the function learns', async () => {
  const random = seededRandom(1)
  const centre = randomUnit(16, random)
  const frames = Array.from({ length: 24 }, (_, i) => {
    const positive = i % 2 === 0
    const noise = randomUnit(16, random)
    const vector = Float32Array.from(
      noise,
      (value, at) => 0.6 * value + (positive ? 0.8 : -0.8) * centre[at]!,
    )
    const norm = Math.hypot(...vector)
    return { vector: vector.map(value => value / norm), logit: random() - 0.5, positive }
  })
  const learnt = await teachOnThread(frames)
  expect(learnt).toEqual(learnFromLabels(frames))
  expect(learnt.head).toBeDefined()
})
