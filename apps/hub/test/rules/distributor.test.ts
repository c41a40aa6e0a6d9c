import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FINGERPRINT, OTHER, TestRules, topicOf } from './parts.ts'

let rules: TestRules
beforeEach(async () => {
  rules = await TestRules.open()
})
afterEach(() => rules.remove())

const rule = (id: string, change: object = {}) => ({ id, name: id, positives: [`a ${id}`], ...change })
const idsOn = (topic: string) => rules.last(topic)?.bundle.rules.map(({ id }) => id)

describe('Distributor', () => {
  it('sends each site and group its own rules, with the rows that they need and no others', async () => {
    await rules.report('north', 'n1', { rulesGroup: 'gates' })
    await rules.report('south', 's1')
    const { desk } = rules.desk()
    await desk.start()
    await desk.put([
      rule('cat'),
      rule('boat', { sites: ['south', 'def*'], negatives: ['a cat'] }),
      rule('gate', { groups: ['gat*'] }),
    ])
    expect(idsOn(topicOf('default'))).toEqual(['cat', 'boat'])
    expect(idsOn(topicOf('north', 'gates'))).toEqual(['cat', 'gate'])
    expect(idsOn(topicOf('north'))).toEqual(['cat'])
    expect(idsOn(topicOf('south'))).toEqual(['cat', 'boat'])
    const whole = desk.compiled().bundle
    const part = rules.last(topicOf('north', 'gates'))!.bundle
    const rowOf = (bundle: typeof whole, row: number) =>
      Buffer.from(bundle.vectors.subarray(row * bundle.dim * 4, (row + 1) * bundle.dim * 4)).toString('hex')
    expect(part.vectors.byteLength).toBe((part.neutral.length + 2) * part.dim * 4)
    for (const { id, positives } of part.rules) {
      const same = whole.rules.find(each => each.id === id)!
      expect(rowOf(part, positives[0]!)).toBe(rowOf(whole, same.positives[0]!))
    }
    expect(part.neutral.map(row => rowOf(part, row))).toEqual(whole.neutral.map(row => rowOf(whole, row)))
  })

  it('shrinks a bundle whose rules went elsewhere', async () => {
    const { desk } = rules.desk()
    await desk.start()
    await desk.put([rule('cat'), rule('dog')])
    await desk.put([rule('cat'), rule('dog', { sites: ['elsewhere'] })])
    expect(idsOn(topicOf('default'))).toEqual(['cat'])
  })

  it('makes every other content newer than all before it, also with a clock that was set back', async () => {
    rules.now = 5000
    const { desk } = rules.desk()
    await desk.start()
    rules.now = 100
    await desk.put([rule('cat')])
    await desk.put([rule('cat')])
    expect(rules.sent().map(({ bundle }) => bundle.issuedAt)).toEqual([5000, 5001, 5002])
  })

  it('publishes again what a target holds that no device asks for any more', async () => {
    await rules.report('north', 'n1', { rulesGroup: 'old' })
    const first = rules.desk()
    await first.desk.start()
    const before = rules.last(topicOf('north', 'old'))!.payload
    await rules.report('north', 'n1', { rulesGroup: 'new' })
    rules.messages.length = 0
    await rules.desk().desk.start()
    expect(Buffer.from(rules.last(topicOf('north', 'old'))!.payload)).toEqual(Buffer.from(before))
    expect(idsOn(topicOf('north', 'new'))).toHaveLength(3)
  })

  it('sends a new site, or a new group, its rules once', async () => {
    const { desk, distributor } = rules.desk()
    await desk.start()
    await rules.report('south', 's1', { rulesGroup: 'quay' })
    const [node] = rules.store.nodes()
    await distributor.notice(node!)
    await distributor.notice(node!)
    expect(rules.sent().map(({ topic }) => topic)).toEqual([
      topicOf('default'),
      topicOf('south'),
      topicOf('south', 'quay'),
    ])
  })

  it('compiles for another model of the fleet, and says so when it has none', async () => {
    await rules.report('default', 'old-device', { fingerprint: OTHER })
    const { desk, distributor } = rules.desk()
    await desk.start()
    await expect
      .poll(() => distributor.targets().find(target => target.fingerprint === OTHER))
      .toMatchObject({
        version: null,
        warning: { code: 'RULES_MODEL_MISSING' },
        devices: [{ node: 'old-device' }],
      })
    expect(distributor.targets().find(target => target.fingerprint === FINGERPRINT)).toMatchObject({
      version: 1,
      warning: null,
    })
    // The model has been pulled; it is looked for again a minute later, when a device reports.
    rules.installed.add(OTHER)
    const [node] = rules.store.nodes()
    await distributor.notice(node!)
    rules.monotonicMs = 61_000
    await distributor.notice(node!)
    await desk.stop()
    expect(rules.last(topicOf('default', 'all', OTHER))!.bundle).toMatchObject({
      fingerprint: OTHER,
      version: 1,
      rules: [{ id: 'cat-in-view' }, {}, {}],
    })
    expect(distributor.targets().every(({ warning }) => warning === null)).toBe(true)
  })

  it('gives a device that was away for long what is in force now', async () => {
    await rules.report('default', 'away', { online: false, rulesVersion: 1 })
    const { desk } = rules.desk()
    await desk.start()
    for (let change = 0; change < 5; change++) await desk.put([rule('cat', { name: `Cat ${change}` })])
    expect(rules.last(topicOf('default'))!.bundle).toMatchObject({ version: 6, rules: [{ name: 'Cat 4' }] })
  })
})
