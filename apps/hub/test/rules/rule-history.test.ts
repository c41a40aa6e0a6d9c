import { RuleHistory } from '@sightline/hub/rules/rule-history.js'
import { starterRules } from '@sightline/hub/rules/starter-rules.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TestRules } from './parts.ts'

let rules: TestRules
beforeEach(async () => {
  rules = await TestRules.open()
})
afterEach(() => rules.remove())

const [cat, boat] = starterRules()
const document = (version: number, written = [cat!]) => ({ version, updatedAt: version, rules: written })

describe('RuleHistory', () => {
  it('keeps the newest versions only', async () => {
    const history = new RuleHistory({ db: rules.db, maxVersions: 3 })
    await history.start(document(1))
    for (let version = 2; version <= 5; version++)
      await history.add(document(version), [cat!], { actor: 'eve' })
    expect(history.list(10).map(({ version }) => version)).toEqual([5, 4, 3])
    expect(history.list(10, 5).map(({ version }) => version)).toEqual([4, 3])
    expect(() => history.version(2)).toThrow(/version 2/)
  })

  it('tells what a change did', async () => {
    const history = new RuleHistory({ db: rules.db })
    await history.start(document(1))
    await history.add(document(2, [{ ...cat!, on: 0.9 }, boat!]), [cat!], { actor: 'eve' })
    await history.add(document(3, [boat!]), [{ ...cat!, on: 0.9 }, boat!], { actor: 'bob', restored: 1 })
    expect(history.list(2)).toEqual([
      { version: 3, at: 3, actor: 'bob', added: [], changed: [], removed: [cat!.id], restored: 1 },
      { version: 2, at: 2, actor: 'eve', added: [boat!.id], changed: [cat!.id], removed: [], restored: null },
    ])
    expect(history.version(1)).toMatchObject({ actor: 'hub', rules: [cat] })
  })

  it('writes nothing at a start that changes nothing, as on a full disk', async () => {
    await new RuleHistory({ db: rules.db }).start(document(1))
    const refuse = () => Promise.reject(new RangeError('the disk is full'))
    await new RuleHistory({ db: { ...rules.db, write: refuse } }).start(document(1))
  })

  it('forgets a change that was noted down and never made', async () => {
    const history = new RuleHistory({ db: rules.db })
    await history.start(document(1))
    await history.add(document(2), [cat!], { actor: 'eve' })
    await history.start(document(1))
    expect(history.list(10).map(({ version }) => version)).toEqual([1])
  })
})
