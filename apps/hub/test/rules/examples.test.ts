import { Examples } from '@sightline/hub/rules/examples.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrameSource, SESSION } from '../../../../test/support/stored-frames.ts'
import { photo } from '../moderation/hub.ts'
import { FINGERPRINT, OTHER, TestRules, testModel, topicOf, vectorOf } from './parts.ts'

let rules: TestRules
beforeEach(async () => {
  rules = await TestRules.open()
})
afterEach(() => rules.remove())

const none = new Set<string>()
const frame = `site~node~${SESSION}~1`

describe('Examples', () => {
  it('outlive the frames that they were copied from', async () => {
    await new FrameSource(rules.store).append([{ vector: vectorOf('frame'), fingerprint: FINGERPRINT }])
    const { desk } = rules.desk()
    await desk.start()
    await desk.put([{ id: 'cat', name: 'Cat', positives: ['a cat'], positiveExamples: [frame] }])
    const { bundle } = rules.last(topicOf('default'))!
    const row = bundle.rules[0]!.positiveExamples[0]!
    const at = row * bundle.dim * 4
    const vector = new Float32Array(bundle.vectors.slice(at, at + bundle.dim * 4).buffer)
    expect(vector).toEqual(vectorOf('frame'))
    const without = new Examples({
      db: rules.db,
      store: { frame: () => undefined, thumbnail: () => undefined },
      clock: rules.clock,
    })
    expect(without.has(frame)).toBe(true)
    expect(await without.vector(frame, { fingerprint: FINGERPRINT })).toEqual(vectorOf('frame'))
    // No picture of it was kept, and it belongs to another space.
    expect(await without.vector(frame, testModel(OTHER).model)).toBeUndefined()
  })

  it('are embedded anew for another model, from the picture that was kept, once', async () => {
    const picture = await photo('lobby/01-cup-of-espresso')
    const id = await rules.examples.upload(picture, rules.own.model, none)
    const other = testModel(OTHER).model
    const kept = rules.examples.picture(id)!
    expect(kept.byteLength).toBeLessThan(100_000)
    const first = await rules.examples.vector(id, other)
    expect(first).toEqual(vectorOf(`${OTHER} picture of ${kept.byteLength}`))
    expect(await rules.examples.vector(id, { fingerprint: OTHER })).toEqual(first)
  })

  it('make room for new ones, but not by those that rules name', async () => {
    const examples = new Examples({ db: rules.db, store: rules.store, clock: rules.clock, maxExamples: 2 })
    const upload = async (name: string, inUse: ReadonlySet<string> = none) =>
      examples.upload(await photo(name), rules.own.model, inUse)
    const [a, b] = [await upload('lobby/01-cup-of-espresso'), await upload('yard/13-moose')]
    const c = await upload('yard/07-puppy', new Set([a]))
    expect([a, b, c].map(id => examples.has(id))).toEqual([true, false, true])
    expect(examples.picture(b)).toBeUndefined()
    await expect(upload('harbour/06-fireworks', new Set([a, c]))).rejects.toMatchObject({
      code: 'RULES_EXAMPLES_FULL',
    })
    // One that is there already needs no room.
    expect(await upload('yard/07-puppy', new Set([a, c]))).toBe(c)
  })

  it('are told of when a device must go without them', async () => {
    await new FrameSource(rules.store).append([{ vector: vectorOf('frame'), fingerprint: OTHER }])
    const { desk } = rules.desk()
    await desk.start()
    await desk.put([{ id: 'cat', name: 'Cat', positives: ['a cat'], positiveExamples: [frame] }])
    expect(rules.last(topicOf('default'))!.bundle.rules[0]!.positiveExamples).toEqual([])
    expect(desk.warnings()).toEqual([{ rule: 'cat', message: expect.stringContaining(frame) }])
  })
})
