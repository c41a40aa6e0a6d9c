import { expect, test } from 'vitest'
import { stackAlike } from '../../dashboard/src/alike.ts'
import type { Frame, Hit } from '../../dashboard/src/api-types.ts'

const base = { site: 's', node: 'n', camera: 'yard', verdicts: [] }
const hit = (id: string, similarity: number, more: object = {}) =>
  ({ ...base, id, similarity, ...more }) as unknown as Hit
const ids = (frames: readonly (Frame | Hit)[]) =>
  stackAlike(frames).map(stack => stack.frames.map(({ id }) => id).join('+'))

test('frames of one camera that query and rules see as the same are stacked, in the order of the hits', () => {
  expect(ids([hit('a', 0.5), hit('b', 0.5), hit('c', 0.4), hit('d', 0.5000001)])).toEqual(['a+b+d', 'c'])
})

test('another camera or another similarity is another picture', () => {
  expect(ids([hit('a', 0.5), hit('b', 0.5, { camera: 'lobby' }), hit('c', 0.499)])).toEqual(['a', 'b', 'c'])
})

test('a rule that sees a difference keeps frames apart; a rule that judged only one of them does not', () => {
  const seen = (rule: string, similarity: number) => ({
    verdicts: [{ rule, score: 0.9, similarity, fired: true }],
  })
  expect(ids([hit('a', 0.5, seen('cat', 0.3)), hit('b', 0.5, seen('cat', 0.2))])).toEqual(['a', 'b'])
  expect(ids([hit('a', 0.5, seen('cat', 0.3)), hit('b', 0.5, seen('dog', 0.1))])).toEqual(['a+b'])
})

test('frames that were not searched for stand alone', () => {
  expect(ids([{ ...base, id: 'a' } as unknown as Frame, { ...base, id: 'b' } as unknown as Frame])).toEqual([
    'a',
    'b',
  ])
})
