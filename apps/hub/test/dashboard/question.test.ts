import { describe, expect, test } from 'vitest'
import { savedAddress, subjectOf, wordsFault } from '../../dashboard/src/question.ts'

const FRAME = 'default~n1~01JD0000000000000000000000~12'

describe('what is asked', () => {
  test('a frame may be looked for without what a minus names', () => {
    expect(subjectOf({ text: '-people', like: FRAME })).toEqual({ id: FRAME })
    expect(subjectOf({ text: 'a boat', like: FRAME })).toEqual({ text: 'a boat' })
    expect(subjectOf({ text: '-people', like: '' })).toBeUndefined()
  })

  test('no more than the hub takes, said in words before it is sent', () => {
    const terms = (count: number) => Array.from({ length: count }, (_, i) => `-w${i}`).join(' ')
    expect(wordsFault(`a cat ${terms(31)}`)).toBeUndefined()
    expect(wordsFault(`a cat ${terms(32)}`)).toContain('at most 31')
    expect(wordsFault('a'.repeat(2000))).toBeUndefined()
    expect(wordsFault('a'.repeat(2001))).toContain('at most 2000')
  })
})

describe('the address of a saved search', () => {
  test.each([
    [['a boat'], {}, '#/search?text=a+boat'],
    [['a boat', '- people', '- a dog'], { site: 's' }, '#/search?text=a+boat+-people+-%22a+dog%22&site=s'],
    [[FRAME, '- people'], { rule: 'cat', fired: true }, `#/search?text=-people&like=${FRAME}&rule=cat`],
    [['a boat'], { fired: false }, '#/search?text=a+boat&fired=no'],
  ])('%j within %j', (subjects, filter, address) => {
    expect(savedAddress({ subjects, filter })?.replaceAll('%7E', '~')).toBe(address)
  })

  test.each([
    ['a picture', ['image'], {}],
    ['two positives', ['a boat', 'a ship'], {}],
    ['words that would be read as others', ['a boat -people'], {}],
    ['frames on which a rule did not fire', ['a boat'], { rule: 'cat', fired: false }],
    ['a list of cameras', ['a boat'], { cameras: ['s/n/c'] }],
    ['a time', ['a boat'], { from: '2026-01-01T00:00:00Z' }],
  ])('is none for %s', (_what, subjects, filter) => {
    expect(savedAddress({ subjects, filter })).toBeUndefined()
  })
})
