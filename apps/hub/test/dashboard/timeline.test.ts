import { expect, test } from 'vitest'
import type { Frame } from '../../dashboard/src/api-types.ts'
import { beside, timelineOf } from '../../dashboard/src/timeline.ts'

const frame = (id: string) => ({ id }) as Frame

test('a timeline goes from the oldest to the newest, and ends at its ends', () => {
  // The hub answers both sides nearest first.
  const timeline = timelineOf(frame('c'), {
    before: [frame('b'), frame('a')],
    after: [frame('d'), frame('e')],
  })
  expect(timeline.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e'])
  expect(beside(timeline, 'c', -1)?.id).toBe('b')
  expect(beside(timeline, 'd', 1)?.id).toBe('e')
  expect(beside(timeline, 'e', 1)).toBeUndefined()
  expect(beside(timeline, 'a', -1)).toBeUndefined()
  expect(beside(timeline, 'of another camera', 1)).toBeUndefined()
})
