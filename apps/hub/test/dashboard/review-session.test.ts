import { describe, expect, test } from 'vitest'
import type { IncidentReview, QueuedIncident, ReviewVerdict } from '../../dashboard/src/api-types.ts'
import {
  current,
  decided,
  heard,
  moved,
  newSession,
  noted,
  openCount,
  reviewKey,
  undone,
  without,
} from '../../dashboard/src/review-session.ts'

const items = ['a', 'b', 'c'].map(id => ({ id }) as QueuedIncident)
const at = (session: ReturnType<typeof newSession>) => current(session)?.id
const review = (verdict: ReviewVerdict, note: string | null = null): IncidentReview => ({
  ...{ verdict, note, rule: null, at: '2026-01-01T12:00:00.000Z' },
})

describe('a review session', () => {
  test('moves within its list', () => {
    const session = newSession(items)
    expect(at(session)).toBe('a')
    expect(at(moved(session, -1))).toBe('a')
    expect(at(moved(moved(session, 1), 5))).toBe('c')
    expect(current(moved(newSession([]), 1))).toBeUndefined()
  })

  test('goes on to what has no verdict yet, and stays when there is none', () => {
    const first = decided(moved(newSession(items), 1), 'b', review('confirm'))
    expect(at(first)).toBe('c')
    const second = decided(first, 'c', review('dismiss'))
    expect(at(second)).toBe('a')
    expect(openCount(second)).toBe(1)
    const third = decided(second, 'a', review('dismiss'))
    expect([at(third), openCount(third)]).toEqual(['a', 0])
    expect(third.history).toEqual(['b', 'c', 'a'])
  })

  test('takes back and returns to what was taken back', () => {
    const session = decided(decided(newSession(items), 'a', review('confirm')), 'b', review('dismiss'))
    const back = undone(session, 'b')
    expect(at(back)).toBe('b')
    expect(back.verdicts.has('b')).toBe(false)
    expect(back.history).toEqual(['a'])
    // A second verdict on the same incident is one step of the history.
    expect(decided(moved(back, -1), 'a', review('dismiss')).history).toEqual(['a'])
  })

  test('keeps another note where it is, as news of the rule', () => {
    const session = decided(newSession(items), 'a', review('confirm'))
    const changed = noted(session, 'a', review('confirm', 'seen twice'))
    expect([at(changed), changed.history]).toEqual(['b', ['a']])
    expect(changed.verdicts.get('a')?.note).toBe('seen twice')
    expect([session.round, changed.round, undone(changed, 'a').round]).toEqual([1, 2, 3])
  })

  test('hears what others say, and stays where it is', () => {
    const session = moved(newSession(items), 1)
    const theirs = heard(session, 'b', review('dismiss'))
    expect([at(theirs), openCount(theirs), theirs.history]).toEqual(['b', 2, []])
    expect(theirs.round).toBe(session.round + 1)
    // Its own verdicts come back this way, too; and incidents that are not on the table.
    expect(heard(theirs, 'b', review('dismiss'))).toBe(theirs)
    expect(heard(theirs, 'x', review('confirm'))).toBe(theirs)
    expect(heard(theirs, 'a', null)).toBe(theirs)
    // What others have judged is not come by again.
    expect(at(decided(moved(theirs, -1), 'a', review('confirm')))).toBe('c')
    const back = heard(decided(theirs, 'b', review('dismiss')), 'b', null)
    expect([at(back), openCount(back), back.history]).toEqual(['c', 3, []])
  })

  test('goes on without what was deleted', () => {
    const session = decided(newSession(items), 'a', review('confirm'))
    expect(at(session)).toBe('b')
    const rest = without(session, 'b')
    expect([at(rest), rest.items.length, openCount(rest)]).toEqual(['c', 2, 1])
    expect(at(without(rest, 'a'))).toBe('c')
    expect(at(without(rest, 'c'))).toBe('a')
    expect(at(without(newSession(items.slice(0, 1)), 'a'))).toBeUndefined()
  })

  test('has its keys, and leaves the shortcuts of the browser alone', () => {
    const plain = { ctrlKey: false, metaKey: false, altKey: false }
    expect(['j', 'ArrowUp', 'c', 'd', 'n', 'u', 'x'].map(key => reviewKey({ key, ...plain }))).toEqual([
      'next',
      'previous',
      'confirm',
      'dismiss',
      'note',
      'undo',
      undefined,
    ])
    expect(reviewKey({ key: 'c', ...plain, ctrlKey: true })).toBeUndefined()
  })
})
