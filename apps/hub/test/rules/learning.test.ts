import { type CompiledRule, l2Normalize } from '@sightline/core'
import { probability } from '@sightline/core/moderation/rule-logit.js'
import { calibrate, learn, type Sample, samplesOf, type Teach } from '@sightline/hub/rules/learning.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FrameSource } from '../../../../test/support/stored-frames.ts'
import { nearUnit, seededRandom } from '../../../../test/support/vectors.ts'
import { DIM, FINGERPRINT, TestRules, topicOf, vectorOf } from './parts.ts'

/** Frames near a sure "yes" or "no", whose logits are three times too sure and off by one. */
function samples(count: number, seed = 5): Sample[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, i) => {
    const truth = (random() - 0.5) * 4
    const positive = i % 3 === 0 ? random() < probability(truth) : truth > 0
    const vector = nearUnit(vectorOf(positive ? 'yes' : 'no'), 0.8, random)
    return { vector, logit: 3 * truth - 1, positive }
  })
}

/** A head towards the mean of the positive frames and away from that of the others. */
const towardsPositives: Teach = given => {
  const mean = new Float32Array(DIM)
  for (const { vector, positive } of given)
    for (let i = 0; i < DIM; i++) mean[i]! += positive ? vector[i]! : -vector[i]!
  return { head: { vector: l2Normalize(mean), scale: 8, bias: 0 } }
}

describe('learn', () => {
  it('learns nothing from a handful of labels, or from one side alone', async () => {
    const lesson = await learn(samples(9), towardsPositives)
    expect([lesson.head, lesson.calibration]).toEqual([undefined, undefined])
    const one = samples(60).map(sample => ({ ...sample, positive: true }))
    expect((await learn(one, towardsPositives)).report).toMatchObject({
      head: false,
      labels: 60,
      eceAfter: null,
    })
    expect((await learn([])).report).toMatchObject({ labels: 0, eceBefore: null, eceAfter: null })
  })

  it('calibrates scores that are too sure, and says by how much', async () => {
    const { calibration, head, report } = await learn(samples(200))
    expect(head).toBeUndefined()
    expect(calibration?.method).toBe('platt')
    expect(report).toMatchObject({ labels: 200, calibration: 'platt', head: false })
    expect(report.eceAfter!).toBeLessThan(report.eceBefore!)
    // With the fewest labels that give one, four fifths of them still do.
    expect((await learn(samples(21))).report).toMatchObject({ eceAfter: expect.any(Number) })
  })

  it('judges a head by frames that it was not fitted on', async () => {
    const { report, head } = await learn(samples(60), towardsPositives)
    expect(head).toMatchObject({ scale: 8 })
    expect(report.head).toBe(true)
    expect(report.eceAfter!).toBeLessThan(report.eceBefore!)
    const sure: Teach = given => ({
      // Knows the frames that it was taught by, and nothing else.
      calibration: undefined,
      head:
        given.length < 60
          ? { vector: vectorOf('no'), scale: 30, bias: 0 }
          : { vector: vectorOf('yes'), scale: 30, bias: 0 },
    })
    const fooled = await learn(samples(60), sure)
    expect(fooled.report.eceAfter!).toBeGreaterThan(report.eceAfter!)
  })

  it('learns the same from the same', async () => {
    expect(await learn(samples(80), towardsPositives)).toEqual(await learn(samples(80), towardsPositives))
  })
})

describe('samplesOf', () => {
  it('leaves out frames that the gate shuts out, and forgets what was learnt before', () => {
    const matrix = new Float32Array(2 * DIM)
    matrix[0] = 1
    matrix[DIM + 1] = 1
    const rule = {
      positives: [0],
      negatives: [],
      positiveExamples: [],
      negativeExamples: [],
      minSimilarity: 0.5,
      minExampleSimilarity: 1,
      head: { row: 0, scale: 100, bias: 0 },
    } as unknown as CompiledRule
    const [seen, unseen] = [matrix.slice(0, DIM), matrix.slice(DIM)]
    const found = samplesOf(rule, { neutral: [1], logitScale: 10 }, matrix, [
      { vector: seen, positive: true },
      { vector: unseen, positive: false },
    ])
    expect(found).toHaveLength(1)
    expect(found[0]!.logit).toBeCloseTo(10, 5)
  })
})

describe('rules that learn', () => {
  let rules: TestRules
  beforeEach(async () => {
    rules = await TestRules.open()
  })
  afterEach(() => rules.remove())

  it('carry what they learnt in the next bundle, and the same after a restart', async () => {
    const source = new FrameSource(rules.store)
    const random = seededRandom(3)
    const frames = Array.from({ length: 40 }, (_, i) => ({
      vector: nearUnit(vectorOf(i % 2 === 0 ? 'a cat' : 'a dog'), 0.6, random),
      fingerprint: FINGERPRINT,
    }))
    const stored = await source.append(frames)
    let taught = 0
    rules.teach = given => {
      taught++
      return calibrate(given)
    }
    const { desk } = rules.desk({ learns: true })
    await desk.start()
    await desk.put([{ id: 'cat', name: 'Cat', positives: ['a cat'], minSimilarity: -1 }])
    const plain = rules.last(topicOf('default'))!
    expect(plain.bundle.rules[0]).not.toHaveProperty('calibration')

    rules.labels = stored.frames.map(({ ord }, i) => ({ ord, positive: i % 2 === 0 })).reverse()
    await desk.relearn()
    const after = rules.last(topicOf('default'))!
    const [rule] = after.bundle.rules
    expect(rule).toMatchObject({ calibration: { method: 'platt' } })
    expect([after.bundle.version, after.bundle.issuedAt > plain.bundle.issuedAt]).toEqual([2, true])
    expect(desk.learnt().get('cat')).toMatchObject({ labels: 40, positives: 20, calibration: 'platt' })

    const count = rules.messages.length
    await desk.relearn()
    // Nothing new was learnt: it goes out again as it was, without another lesson.
    expect(taught).toBe(1)
    expect(Buffer.from(rules.last(topicOf('default'))!.payload)).toEqual(Buffer.from(after.payload))
    rules.labels = rules.labels.toReversed()
    await rules.desk({ learns: true }).desk.start()
    expect(rules.messages.length).toBeGreaterThan(count)
    expect(Buffer.from(rules.last(topicOf('default'))!.payload)).toEqual(Buffer.from(after.payload))
    // An unsaved variant of the rule learns as well.
    const { bundle } = await desk.compileOne({ ...desk.rule('cat'), on: 0.9 })
    expect(bundle.rules[0]).toHaveProperty('calibration')
  })
})
