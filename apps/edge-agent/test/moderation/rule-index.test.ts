import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Calibration, type CompiledRule, dot, ruleScore } from '@sightline/core'
import { judgeRule } from '@sightline/core/moderation/judge-rule.js'
import { RuleIndex } from '@sightline/edge-agent/moderation/rule-index.js'
import { ruleVectors } from '@sightline/edge-agent/moderation/rule-vectors.js'
import { Scorer } from '@sightline/edge-agent/moderation/scorer.js'
import { describe, expect, it } from 'vitest'
import { type BundleParts, bundleOf, compiledRule, randomUnit, seeded } from '../support/bundles.ts'

const CASES = Number(process.env.SIGHTLINE_PROPERTY_CASES ?? 1000)
const FRAMES_PER_SET = 10

interface RandomSet {
  readonly parts: BundleParts
  readonly frame: () => Float32Array
}

/**
 * Rule sets as they come: clustered prompts, prompts shared among rules, gates from "always" to "never", and frames
 * that lie near prompts as well as far away.
 */
function randomSet(seed: number): RandomSet {
  const random = seeded(seed)
  const whole = (least: number, most: number) => least + Math.floor(random() * (most - least + 1))
  const dim = [8, 16, 32, 64][whole(0, 3)]!
  const centres = Array.from({ length: whole(1, 6) }, () => randomUnit(random, dim))
  const near = () => randomUnit(random, dim, centres[whole(0, centres.length - 1)]!, random() * 1.5)
  const vectors = Array.from({ length: whole(2, 120) }, () =>
    random() < 0.7 ? near() : randomUnit(random, dim),
  )
  // The same words in two packs are two rows with the same content.
  vectors.push(...vectors.slice(0, whole(0, 5)))
  const rows = (least: number, most: number) =>
    Array.from({ length: whole(least, most) }, () => whole(0, vectors.length - 1))
  const gates = [-1, -0.2, 0, 0.1, 0.25, 0.5, 0.9, 1]
  const rules: CompiledRule[] = Array.from({ length: whole(1, 60) }, (_, i) =>
    compiledRule({
      id: `rule-${i}`,
      positives: rows(1, 8),
      negatives: rows(0, 5),
      minSimilarity: random() < 0.5 ? gates[whole(0, gates.length - 1)]! : random() * 1.2 - 0.4,
    }),
  )
  return {
    parts: { vectors, rules, neutral: rows(0, 6), logitScale: whole(5, 100) },
    frame: () => (random() < 0.7 ? near() : randomUnit(random, dim)),
  }
}

function bruteForce({ vectors, rules, neutral, logitScale }: BundleParts, frame: Float32Array) {
  const similarity = (row: number) => dot(vectors[row]!, frame)
  return rules
    .map(rule => {
      const best = Math.max(...rule.positives.map(similarity))
      const competitors = [...rule.negatives, ...neutral!].map(similarity)
      return {
        id: rule.id,
        similarity: best,
        // Log-odds and back: the last digits differ.
        score: expect.closeTo(ruleScore(best, competitors, logitScale!), 12),
        gate: rule.minSimilarity,
      }
    })
    .filter(({ similarity, gate }) => similarity >= gate)
    .map(({ id, similarity, score }) => ({ id, similarity, score }))
    .sort((a, b) => a.id.localeCompare(b.id))
}

function randomCalibration(random: () => number): Calibration | undefined {
  const kind = random()
  if (kind < 0.4) return undefined
  if (kind < 0.7) return { method: 'platt', a: 0.1 + 2 * random(), b: 4 * random() - 2 }
  const [low, middle] = [0.4 * random(), 0.4 + 0.3 * random()]
  return {
    method: 'isotonic',
    points: [
      [-6, low],
      [0, middle],
      [6, middle],
      [9, 1],
    ],
  }
}

async function scorerOf(parts: BundleParts): Promise<Scorer> {
  const vectors = ruleVectors(bundleOf(parts))
  return new Scorer({ vectors, index: await RuleIndex.build(vectors) })
}

function judged(scorer: Scorer, frame: Float32Array) {
  return scorer
    .judge(frame, 'any')
    .map(({ rule, similarity, score }) => ({ id: rule.id, similarity, score }))
    .sort((a, b) => a.id.localeCompare(b.id))
}

describe('rule index', () => {
  it(`judges exactly as brute force does (${CASES} random rule sets and frames)`, {
    timeout: 600_000,
  }, async () => {
    for (let seed = 0; seed < CASES / FRAMES_PER_SET; seed++) {
      const { parts, frame } = randomSet(seed)
      const scorer = await scorerOf(parts)
      for (let i = 0; i < FRAMES_PER_SET; i++) {
        const vector = frame()
        expect(judged(scorer, vector), `seed ${seed}, frame ${i}`).toEqual(bruteForce(parts, vector))
      }
    }
  })

  it(`misses no rule that fires, with any background and calibration (${CASES} random rule sets and frames)`, {
    timeout: 600_000,
  }, async () => {
    for (let seed = 0; seed < CASES / FRAMES_PER_SET; seed++) {
      const { parts, frame } = randomSet(seed)
      const random = seeded(1_000_000 + seed)
      const rules = parts.rules.map(rule => {
        const calibration = randomCalibration(random)
        return { ...rule, on: 0.05 + 0.9 * random(), ...(calibration && { calibration }) }
      })
      const offsets = new Map(rules.map(({ id }) => [id, random() < 0.5 ? 0 : 3 * random()]))
      const vectors = ruleVectors(bundleOf({ ...parts, rules }))
      const index = await RuleIndex.build(vectors)
      const backgrounds = { offset: (_: string, rule: string) => offsets.get(rule)! }
      const scorer = new Scorer({ vectors, index, backgrounds })
      const context = { neutral: vectors.bundle.neutral, logitScale: vectors.bundle.logitScale }
      for (let i = 0; i < FRAMES_PER_SET; i++) {
        const vector = frame()
        const similarityOf = (row: number) => dot(parts.vectors[row]!, vector)
        const fired = scorer.judge(vector, 'any').filter(({ rule, score }) => score >= rule.on)
        const exact = rules
          .map(rule => ({ rule, verdict: judgeRule(rule, context, similarityOf, offsets.get(rule.id)!) }))
          .filter(({ verdict }) => verdict.fired)
        expect(new Map(fired.map(({ rule, score }) => [rule.id, score])), `seed ${seed}, frame ${i}`).toEqual(
          new Map(exact.map(({ rule, verdict }) => [rule.id, verdict.score])),
        )
      }
    }
  })

  it('misses nothing among thousands of prompts', async () => {
    const random = seeded(7)
    const dim = 64
    const centres = Array.from({ length: 40 }, () => randomUnit(random, dim))
    const vectors = Array.from({ length: 3000 }, (_, i) => randomUnit(random, dim, centres[i % 40]!, 1))
    const rules = Array.from({ length: 1000 }, (_, i) =>
      compiledRule({
        id: `rule-${i}`,
        positives: [3 * i, 3 * i + 1, 3 * i + 2],
        minSimilarity: 0.3 + random() * 0.5,
      }),
    )
    const parts = { vectors, rules, neutral: [], logitScale: 20 }
    const scorer = await scorerOf(parts)
    for (let i = 0; i < 50; i++) {
      const frame = randomUnit(random, dim, centres[i % 40]!, 1)
      expect(judged(scorer, frame)).toEqual(bruteForce(parts, frame))
    }
  })

  it('keeps equal prompts with equal gates as one entry', async () => {
    const [a, b] = [randomUnit(seeded(1), 16), randomUnit(seeded(2), 16)]
    const rules = Array.from({ length: 300 }, (_, i) => compiledRule({ id: `rule-${i}`, positives: [i % 2] }))
    const vectors = ruleVectors(bundleOf({ vectors: [a, a.slice(), b], rules }))
    const index = await RuleIndex.build(vectors)
    expect(index.size).toBe(1)
    expect(new Scorer({ vectors, index }).judge(a, 'any')).toHaveLength(300)
  })

  it('answers the same after it was saved and read', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'rule-index-'))
    const { parts, frame } = randomSet(3)
    const vectors = ruleVectors(bundleOf(parts))
    const built = await RuleIndex.build(vectors)
    built.save(join(dir, 'graph'))
    const read = RuleIndex.read(vectors, join(dir, 'graph'))
    for (let i = 0; i < 20; i++) {
      const vector = frame()
      expect(judged(new Scorer({ vectors, index: read }), vector)).toEqual(bruteForce(parts, vector))
    }
    await rm(dir, { recursive: true })
  })

  it('has no answer without rules', async () => {
    expect(
      (await scorerOf({ vectors: [randomUnit(seeded(1), 8)], rules: [] })).judge(
        randomUnit(seeded(2), 8),
        'x',
      ),
    ).toEqual([])
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
    const scorer = await scorerOf({ vectors, rules: [compiledRule({ cameras })] })
    expect(scorer.judge(vectors[0]!, camera)).toHaveLength(applies ? 1 : 0)
  })
})
