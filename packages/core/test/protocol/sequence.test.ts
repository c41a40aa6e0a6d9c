import { addSeqs, EMPTY_SEQ_SET, hasSeq, type SeqRange, toRanges } from '@sightline/core/protocol/sequence.js'
import { describe, expect, it } from 'vitest'

describe('sequence sets', () => {
  it('grows contiguously and keeps what came ahead of a gap', () => {
    const ahead = addSeqs(EMPTY_SEQ_SET, [
      [1, 3],
      [6, 8],
    ])
    expect(ahead).toEqual({ upTo: 3, ranges: [[6, 8]] })
    expect(addSeqs(ahead, [[4, 5]])).toEqual({ upTo: 8, ranges: [] })
  })

  it('joins adjacent and overlapping ranges', () => {
    expect(
      addSeqs(EMPTY_SEQ_SET, [
        [5, 6],
        [9, 9],
        [7, 8],
        [20, 30],
        [22, 25],
      ]),
    ).toEqual({
      upTo: 0,
      ranges: [
        [5, 9],
        [20, 30],
      ],
    })
  })

  it('folds single numbers', () => {
    expect(toRanges([1, 2, 3, 7, 9, 10])).toEqual([
      [1, 3],
      [7, 7],
      [9, 10],
    ])
  })

  it('agrees with a plain set on random input', () => {
    let state = 7
    const random = (below: number) => {
      state = (state * 1103515245 + 12345) % 2147483648
      return state % below
    }
    for (let round = 0; round < 200; round++) {
      const plain = new Set<number>()
      let set = EMPTY_SEQ_SET
      for (let step = 0; step < 12; step++) {
        const first = 1 + random(60)
        const range: SeqRange = [first, first + random(6)]
        for (let seq = range[0]; seq <= range[1]; seq++) plain.add(seq)
        set = addSeqs(set, [range])
      }
      for (let seq = 1; seq <= 70; seq++) expect(hasSeq(set, seq)).toBe(plain.has(seq))
      expect(plain.has(set.upTo + 1)).toBe(false)
    }
  })
})
