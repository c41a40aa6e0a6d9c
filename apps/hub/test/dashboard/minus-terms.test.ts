import { describe, expect, test } from 'vitest'
import { joinWords, splitWords } from '../../dashboard/src/minus-terms.ts'

describe('minus-terms', () => {
  test('words and phrases after a minus are taken away', () => {
    expect(splitWords('beach -people')).toEqual({ wanted: 'beach', unwanted: ['people'] })
    expect(splitWords('-people a  beach -"a dog" at noon')).toEqual({
      wanted: 'a beach at noon',
      unwanted: ['people', 'a dog'],
    })
    expect(splitWords('a -b -b')).toEqual({ wanted: 'a', unwanted: ['b'] })
  })

  test('a hyphen within words, alone or doubled is none', () => {
    for (const text of ['a t-shirt', 'a - b', 'a -- b', '-']) {
      expect(splitWords(text)).toEqual({ wanted: text, unwanted: [] })
    }
  })

  test('a phrase that is still being typed already counts; an empty one does not', () => {
    expect(splitWords('beach -"two peo')).toEqual({ wanted: 'beach', unwanted: ['two peo'] })
    expect(splitWords('beach -""')).toEqual({ wanted: 'beach', unwanted: [] })
  })

  test('comes back as it was', () => {
    for (const words of [
      { wanted: 'a beach', unwanted: ['people', 'a dog', 't-shirt'] },
      { wanted: '', unwanted: ['people'] },
      { wanted: 'a beach', unwanted: [] },
      { wanted: 'a beach', unwanted: ['6"pipe', '-x'] },
    ]) {
      expect(splitWords(joinWords(words))).toEqual(words)
    }
  })
})
