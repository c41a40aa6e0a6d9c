import { describe, expect, test } from 'vitest'
import type { Contribution } from '../../dashboard/src/api-types.ts'
import { matchWords, partName, partWords } from '../../dashboard/src/match-words.ts'

describe('a match in words', () => {
  test.each([
    [0.9995, 1, 'A very good match', 'More than 1000 times as likely', 'No frame that it was compared with'],
    [0.98, 0.998, 'A good match', 'About 49 times as likely', 'Closer than 998 of 1000'],
    [0.8, 0.95, 'A fair match', 'About 4 times as likely', 'Closer than 95 of 100'],
    [0.6, 0.7, 'A weak match', 'About 1.5 times as likely', 'Closer than 70 of 100'],
    [0.5, 0.5, 'A weak match', 'About as likely', 'Closer than 50 of 100'],
    [0.2, 0.003, 'No real match', 'Less likely', 'Closer than 3 of 1000'],
    [1, 1, 'A very good match', 'More than 1000 times', 'No frame'],
  ])('%d', (score, percentile, title, odds, rank) => {
    const words = matchWords({ score, percentile })
    expect(words.title).toBe(title)
    expect(words.detail).toContain(odds)
    expect(words.detail).toContain(rank)
  })
})

test('a part is called as it was asked, and says which way it pulls', () => {
  const part: Contribution = {
    ...{ role: 'negative', subject: 'people', weight: 0.5, similarity: 0.2 },
    ...{ contribution: -0.09, share: 0.316 },
  }
  expect(partName(part, 'f1')).toBe('people')
  expect(partName({ ...part, subject: 'f1' }, 'f1')).toBe('the frame that was searched by')
  expect(partName({ ...part, subject: 'image' }, '')).toBe('the image')
  expect(partWords(part)).toBe('against it, 32% of the weight')
  expect(partWords({ ...part, contribution: 0.1 })).toMatch(/^for it/)
})
