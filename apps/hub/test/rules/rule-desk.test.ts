import { dot } from '@sightline/core'
import { compileRules, NEUTRAL_PROMPTS } from '@sightline/hub/rules/compile.js'
import { starterRules } from '@sightline/hub/rules/starter-rules.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DIM, FINGERPRINT, TestRules, testModel, topicOf, vectorOf } from './parts.ts'

let rules: TestRules
beforeEach(async () => {
  rules = await TestRules.open()
})
afterEach(() => rules.remove())

const cat = { id: 'cat', name: 'Cat', positives: ['a cat'] }
const dog = { ...cat, id: 'dog', positives: ['a dog'] }

describe('RuleDesk', () => {
  it('seeds the starter rules at the first start and publishes them, signed and retained, to every site', async () => {
    await rules.store.updateNode('north', 'node', { seenAt: 1 })
    const { desk } = rules.desk()
    await desk.start()
    expect(desk.get()).toEqual({ version: 1, updatedAt: 1000, rules: starterRules() })
    expect(
      rules
        .sent()
        .map(({ topic }) => topic)
        .sort(),
    ).toEqual([topicOf('default'), topicOf('north')].sort())
    expect(rules.sent()[0]!.bundle).toMatchObject({
      version: 1,
      issuedAt: 1000,
      fingerprint: FINGERPRINT,
      dim: DIM,
    })
    await desk.stop()
  })

  it('sends the same bytes after a restart, and embeds nothing again', async () => {
    await rules.desk().desk.start()
    const first = rules.own.embedded.length
    rules.now = 9000
    await rules.desk().desk.start()
    expect(Buffer.from(rules.messages[1]!.payload)).toEqual(Buffer.from(rules.messages[0]!.payload))
    expect(rules.own.embedded).toHaveLength(first)
    expect(rules.prompts.stats).toEqual({ hits: first, misses: first })
  })

  it('embeds only what a change brings', async () => {
    const { desk } = rules.desk()
    await desk.start()
    rules.own.embedded.length = 0
    await desk.put([...desk.get().rules, { ...cat, positives: ['a cat', 'a lynx'] }])
    // The starter rules have "a cat" already, in their templates.
    expect(rules.own.embedded).toEqual(['a lynx'])
  })

  it('checks, numbers, stores, compiles and sends a change', async () => {
    const { desk } = rules.desk()
    await desk.start()
    rules.now = 2000
    const document = await desk.put([cat, { ...dog, enabled: false }], 1)
    expect(document).toMatchObject({ version: 2, updatedAt: 2000 })
    expect(document.rules).toHaveLength(2)
    expect(rules.store.rules()).toEqual(document)
    expect(rules.sent().at(-1)!.bundle).toMatchObject({ version: 2, issuedAt: 2000, rules: [{ id: 'cat' }] })
  })

  it('refuses a change made from another version, and a faulty one; nothing changes', async () => {
    const { desk } = rules.desk()
    await desk.start()
    await desk.put([cat], 1)
    await expect(desk.put([cat], 1)).rejects.toMatchObject({
      code: 'RULES_CONFLICT',
      status: 409,
      details: { version: 2 },
    })
    await expect(desk.put([{ ...cat, off: 1, on: 0.5 }])).rejects.toMatchObject({
      code: 'RULES_INVALID',
      details: { faults: [{ path: 'rules.0.off' }] },
    })
    expect(desk.get().version).toBe(2)
    expect(rules.messages).toHaveLength(2)
    expect((await desk.put([cat])).version).toBe(3)
  })

  it('lets one of two changes at once from the same version win', async () => {
    const { desk } = rules.desk()
    await desk.start()
    const both = await Promise.allSettled([desk.put([cat], 1), desk.put([dog], 1)])
    expect(both.map(one => one.status)).toEqual(['fulfilled', 'rejected'])
    expect(desk.get()).toMatchObject({ version: 2, rules: [{ id: 'cat' }] })
  })

  it('adds, changes and removes single rules', async () => {
    const { desk } = rules.desk()
    await desk.start()
    await desk.put([cat])
    await desk.add(dog)
    await expect(desk.add(dog)).rejects.toMatchObject({ code: 'RULES_CONFLICT' })
    await expect(desk.add({ ...dog, id: 'x', on: 2 })).rejects.toMatchObject({
      details: { faults: [{ path: 'rule.on' }] },
    })
    await desk.set('cat', { ...cat, name: 'Tom' })
    await expect(desk.set('cat', dog)).rejects.toMatchObject({ code: 'API_BAD_REQUEST' })
    expect(desk.get().rules.map(({ id, name }) => [id, name])).toEqual([
      ['cat', 'Tom'],
      ['dog', 'Cat'],
    ])
    await desk.remove('cat', { expectedVersion: 4 })
    await expect(desk.remove('cat')).rejects.toMatchObject({ code: 'API_NOT_FOUND' })
    await expect(desk.remove('dog', { expectedVersion: 4 })).rejects.toMatchObject({ code: 'RULES_CONFLICT' })
    expect(desk.rule('dog')).toMatchObject({ id: 'dog' })
    expect(() => desk.rule('cat')).toThrow(/no rule cat/)
  })

  it('keeps in force what could not be sent', async () => {
    rules.publish = () => Promise.reject(new RangeError('no broker'))
    const { desk } = rules.desk()
    await desk.start()
    expect((await desk.put([cat], 1)).version).toBe(2)
    expect(rules.store.rules()!.version).toBe(2)
  })

  it('warns of prompts that the model cannot do, and of cameras that nobody has', async () => {
    const { desk } = rules.desk()
    await desk.start()
    expect(desk.warnings()).toEqual([])
    await rules.report('default', 'n1', {
      cameras: [{ camera: 'yard', status: 'running', lastFrameAt: null }],
    })
    await desk.put([{ ...cat, positives: ['a knife'], cameras: ['y*', 'gate'] }])
    expect(desk.warnings()).toEqual([
      { rule: 'cat', message: expect.stringContaining('knife') },
      { rule: 'cat', message: 'No camera is called "gate" so far; there are yard.' },
    ])
  })

  it('says what is wrong without putting it in force', async () => {
    const { desk } = rules.desk()
    await desk.start()
    expect(desk.check([{ ...cat, positives: [] }]).faults).toEqual([
      { path: 'rules.0.positives', message: expect.stringMatching(/at least one prompt/) },
    ])
    expect(desk.check([{ ...cat, positives: ['a knife'] }])).toMatchObject({
      faults: [],
      warnings: [{ rule: 'cat' }],
    })
    expect(desk.get().version).toBe(1)
  })

  it('fills in what an earlier hub did not know', async () => {
    const { sites: _, groups: __, positiveExamples: ___, ...old } = starterRules()[0]!
    await rules.store.putRules({ version: 7, updatedAt: 5, rules: [old as never] })
    const { desk } = rules.desk()
    await desk.start()
    expect(desk.get().rules[0]).toMatchObject({ sites: ['*'], positiveExamples: [] })
  })
})

describe('compileRules', () => {
  it('makes a row the normalised mean of the template texts, and equal prompts one row', async () => {
    const { model, embedded } = testModel()
    const templates = ['{}', 'a photo of {}']
    const written = [
      { ...starterRules()[0]!, templates, positives: ['a cat', 'a $& cat'], negatives: ['a dog'] },
      { ...starterRules()[1]!, templates, positives: ['a dog'], negatives: ['a photo'] },
    ]
    const bundle = await compileRules({ version: 3, updatedAt: 5, rules: written }, model)
    const vectors = new Float32Array(bundle.vectors.slice().buffer)
    const row = (at: number) => vectors.subarray(at * DIM, (at + 1) * DIM)
    const [first, second] = bundle.rules
    expect(first!.negatives).toEqual(second!.positives)
    expect(bundle.neutral).toEqual(NEUTRAL_PROMPTS.map((_, i) => i))
    // "a photo" with templates is another prompt than the neutral one.
    expect(bundle.neutral).not.toContain(second!.negatives[0])
    expect(vectors).toHaveLength(DIM * (NEUTRAL_PROMPTS.length + 4))
    const [plain, photo] = ['a $& cat', 'a photo of a $& cat'].map(vectorOf) as [Float32Array, Float32Array]
    const mean = plain.map((value, i) => value + photo[i]!)
    expect(dot(row(first!.positives[1]!), mean) / Math.sqrt(dot(mean, mean))).toBeCloseTo(1, 6)
    expect(new Set(embedded).size).toBe(embedded.length)
  })
})
