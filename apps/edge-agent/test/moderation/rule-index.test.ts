import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RuleIndex } from '@sightline/edge-agent/moderation/rule-index.js'
import { ruleVectors } from '@sightline/edge-agent/moderation/rule-vectors.js'
import { Scorer } from '@sightline/edge-agent/moderation/scorer.js'
import { describe, expect, it } from 'vitest'
import { type BundleParts, bundleOf, compiledRule, randomUnit, seeded } from '../support/bundles.ts'
import { bruteForce, randomRules } from '../support/random-rules.ts'

const CASES = Number(process.env.SIGHTLINE_PROPERTY_CASES ?? 10_000)
const FRAMES_PER_SET = 20

function judged(scorer: Scorer, frame: Float32Array) {
  return scorer
    .judge(frame, 'any')
    .map(({ rule, similarity, logit, score }) => ({ id: rule.id, similarity, logit, score }))
}

describe.each(['by looking at every gate', 'by what a graph proposes'])('judging %s', way => {
  const indexOf = async (vectors: ReturnType<typeof ruleVectors>) =>
    way === 'by what a graph proposes' ? await RuleIndex.build(vectors) : undefined
  const scorerOf = async (parts: BundleParts) => {
    const vectors = ruleVectors(bundleOf(parts))
    return new Scorer({ vectors, index: await indexOf(vectors) })
  }

  it(`gives the very figures of \`judgeRule\`, rule by rule (${CASES} frames under random rule sets)`, {
    timeout: 600_000,
  }, async () => {
    let verdicts = 0
    for (let seed = 0; seed < CASES / FRAMES_PER_SET; seed++) {
      const { parts, frame, offsets } = randomRules(seed)
      const vectors = ruleVectors(bundleOf(parts))
      const backgrounds = { offset: (_: string, rule: string) => offsets.get(rule)! }
      const scorer = new Scorer({ vectors, index: await indexOf(vectors), backgrounds })
      for (let i = 0; i < FRAMES_PER_SET; i++) {
        const vector = frame()
        const exact = bruteForce(vectors, vector, offsets)
        verdicts += exact.length
        // Bit for bit, in the same order.
        expect(judged(scorer, vector), `seed ${seed}, frame ${i}`).toStrictEqual(exact)
      }
    }
    expect(verdicts).toBeGreaterThan(CASES)
  })

  it('misses nothing among thousands of positives', { timeout: 120_000 }, async () => {
    const random = seeded(7)
    const dim = 64
    const centres = Array.from({ length: 40 }, () => randomUnit(random, dim))
    const vectors = Array.from({ length: 6000 }, (_, i) => randomUnit(random, dim, centres[i % 40]!, 1))
    const rules = Array.from({ length: 1500 }, (_, i) =>
      compiledRule({
        id: `rule-${i}`,
        positives: [4 * i, 4 * i + 1, 4 * i + 2],
        positiveExamples: [4 * i + 3],
        minSimilarity: 0.3 + random() * 0.5,
        minExampleSimilarity: 0.6 + random() * 0.4,
      }),
    )
    const parts = { vectors, rules, neutral: [], logitScale: 20 }
    const scorer = await scorerOf(parts)
    for (let i = 0; i < 50; i++) {
      const frame = randomUnit(random, dim, centres[i % 40]!, 1)
      expect(judged(scorer, frame)).toStrictEqual(bruteForce(ruleVectors(bundleOf(parts)), frame))
    }
  })

  it('has no answer without rules', async () => {
    const scorer = await scorerOf({ vectors: [randomUnit(seeded(1), 8)], rules: [] })
    expect(scorer.judge(randomUnit(seeded(2), 8), 'x')).toEqual([])
  })

  it('is reached by an example where no prompt is near, and not by an example of what is not meant', async () => {
    const [prompt, example, other] = [1, 2, 3].map(seed => randomUnit(seeded(seed), 64))
    const rule = { positives: [0], positiveExamples: [1], negativeExamples: [2], minSimilarity: 0.9 }
    const scorer = await scorerOf({ vectors: [prompt!, example!, other!], rules: [compiledRule(rule)] })
    expect(judged(scorer, example!)).toMatchObject([{ id: 'fire' }])
    expect(judged(scorer, other!)).toEqual([])
  })
})

describe('RuleIndex', () => {
  it('keeps equal prompts with equal gates as one entry', async () => {
    const [a, b] = [randomUnit(seeded(1), 16), randomUnit(seeded(2), 16)]
    const rules = Array.from({ length: 300 }, (_, i) => compiledRule({ id: `rule-${i}`, positives: [i % 2] }))
    const vectors = ruleVectors(bundleOf({ vectors: [a, a.slice(), b], rules }))
    const index = await RuleIndex.build(vectors)
    expect(index.size).toBe(1)
    expect(new Scorer({ vectors, index }).judge(a, 'any')).toHaveLength(300)
  })

  it('keeps a vector that is prompt and example as two, each with its gate', async () => {
    const vectors = ruleVectors(
      bundleOf({ vectors: [randomUnit(seeded(1), 16)], rules: [compiledRule({ positiveExamples: [0] })] }),
    )
    expect((await RuleIndex.build(vectors)).size).toBe(2)
  })

  it('answers the same after it was saved and read', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'rule-index-'))
    const { parts, frame } = randomRules(3)
    const vectors = ruleVectors(bundleOf(parts))
    const built = await RuleIndex.build(vectors)
    built.save(join(dir, 'graph'))
    const scorer = new Scorer({ vectors, index: RuleIndex.read(vectors, join(dir, 'graph')) })
    for (let i = 0; i < 20; i++) {
      const vector = frame()
      expect(judged(scorer, vector)).toStrictEqual(bruteForce(vectors, vector))
    }
    await rm(dir, { recursive: true })
  })
})

describe('scorer', () => {
  const vectors = [randomUnit(seeded(1), 16)]
  it.each([
    [['*'], 'dock-3', true],
    [['dock-*'], 'dock-3', true],
    [['dock-*'], 'gate', false],
    [['*-3', 'gate'], 'gate', true],
    [['dock.3'], 'dock-3', false],
    [['d*k*3'], 'dock-3', true],
    [['dock'], 'dock-3', false],
  ])('judges cameras %j: %s is %s', async (cameras, camera, applies) => {
    const scorer = new Scorer({
      vectors: ruleVectors(bundleOf({ vectors, rules: [compiledRule({ cameras })] })),
    })
    expect(scorer.judge(vectors[0]!, camera)).toHaveLength(applies ? 1 : 0)
  })
})
