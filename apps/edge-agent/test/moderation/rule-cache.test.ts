import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RuleCache } from '@sightline/edge-agent/moderation/rule-cache.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AXES,
  type BundleParts,
  compiledRule,
  encodeBundle,
  FINGERPRINT,
  RULES_TOPIC,
  SIGNER,
  signed,
  unit,
} from '../support/bundles.ts'
import { quiet } from '../support/quiet.ts'

const SPACE = { fingerprint: FINGERPRINT, dim: 8 }
const PARTS: BundleParts = { vectors: AXES, rules: [compiledRule({ positives: [0, 1] })], neutral: [7] }

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'rule-cache-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function opened(space = SPACE): Promise<RuleCache> {
  const trustedKeys = [SIGNER.pem]
  const cache = new RuleCache({ dir, space, topic: RULES_TOPIC, trustedKeys, log: quiet })
  await cache.load()
  return cache
}

async function withRules(): Promise<RuleCache> {
  const cache = await opened()
  await cache.offer(encodeBundle({ ...PARTS, version: 3 }))
  expect(cache.version).toBe(3)
  return cache
}

async function flip(file: string, at: number): Promise<void> {
  const bytes = await readFile(join(dir, file))
  const position = at < 0 ? bytes.length + at : at
  bytes[position] = bytes[position]! ^ 0x40
  await writeFile(join(dir, file), bytes)
}

describe('RuleCache', () => {
  it('begins without rules', async () => {
    const cache = await opened()
    expect([cache.version, cache.current, cache.error]).toEqual([0, undefined, undefined])
  })

  it('applies a bundle and has it after a restart, without a network', async () => {
    const first = await withRules()
    expect(first.current!.judge(AXES[1]!, 'gate')).toHaveLength(1)
    const second = await opened()
    expect([second.version, second.error]).toEqual([3, undefined])
    expect(second.current!.judge(AXES[1]!, 'gate')).toEqual(first.current!.judge(AXES[1]!, 'gate'))
  })

  it('replaces the rules as a whole and leaves judgements under way alone', async () => {
    const cache = await withRules()
    const before = cache.current!
    await cache.offer(
      encodeBundle({ ...PARTS, version: 4, rules: [compiledRule({ id: 'smoke', positives: [2] })] }),
    )
    expect(before.judge(AXES[0]!, 'gate')).toHaveLength(1)
    expect(cache.current!.judge(AXES[0]!, 'gate')).toHaveLength(0)
    expect(cache.current!.judge(AXES[2]!, 'gate')).toHaveLength(1)
    expect((await opened()).version).toBe(4)
  })

  it('takes the same bundle twice without a word, and a cleared topic as nothing', async () => {
    const cache = await withRules()
    await cache.offer(encodeBundle({ ...PARTS, version: 3 }))
    await cache.offer(new Uint8Array())
    expect([cache.version, cache.error]).toEqual([3, undefined])
  })

  it('takes the rules of a hub that was set up anew and counts from 1 again', async () => {
    const cache = await withRules()
    await cache.offer(encodeBundle({ ...PARTS, version: 1, issuedAt: 1_800_000_000_000 }))
    expect([cache.version, cache.error]).toEqual([1, undefined])
    await cache.offer(encodeBundle({ ...PARTS, version: 9, issuedAt: 1_750_000_000_000 }))
    expect(cache.version).toBe(1)
    expect(cache.error).toContain('not newer')
  })

  const long = AXES[0]!.map(value => value * 1.1)
  it.each<[string, BundleParts | Uint8Array, RegExp]>([
    ['an older version', { ...PARTS, version: 2 }, /bundle 2 is not newer than 3/],
    ['the same version with other content', { ...PARTS, version: 3, neutral: [] }, /not newer than 3/],
    [
      'another model',
      { ...PARTS, version: 4, fingerprint: 'other:0123456789ab' },
      /is for other:0123456789ab \(8\)/,
    ],
    ['another dimension', { ...PARTS, version: 4, vectors: [unit([...Array(16).keys()])] }, /\(16\)/],
    [
      'a positive without a vector',
      { ...PARTS, version: 4, rules: [compiledRule({ positives: [8] })] },
      /rule fire names vector 8 of 8/,
    ],
    [
      'a negative without a vector',
      { ...PARTS, version: 4, rules: [compiledRule({ negatives: [9] })] },
      /vector 9 of 8/,
    ],
    [
      'a positive example without a vector',
      { ...PARTS, version: 4, rules: [compiledRule({ positiveExamples: [0, 8] })] },
      /rule fire names vector 8 of 8/,
    ],
    [
      'a negative example without a vector',
      { ...PARTS, version: 4, rules: [compiledRule({ negativeExamples: [11] })] },
      /rule fire names vector 11 of 8/,
    ],
    [
      'a head without a vector',
      { ...PARTS, version: 4, rules: [compiledRule({ head: { row: 8, scale: 1, bias: 0 } })] },
      /rule fire names vector 8 of 8/,
    ],
    ['a neutral without a vector', { ...PARTS, version: 4, neutral: [10] }, /neutral set names vector 10/],
    [
      'a vector that is not of unit length',
      { ...PARTS, version: 4, vectors: [long] },
      /vector 0 is not L2-normalised/,
    ],
    ['NaN', { ...PARTS, version: 4, vectors: [AXES[0]!.map(() => Number.NaN)] }, /vector 0 is not/],
    [
      'two rules of one id',
      { ...PARTS, version: 4, rules: [compiledRule(), compiledRule()] },
      /two rules have the id fire/,
    ],
    [
      'a broken rule',
      { ...PARTS, version: 4, rules: [compiledRule({ on: 2 })] },
      /PAYLOAD_INVALID.*rules\.0\.on/s,
    ],
    [
      'an unknown time zone',
      {
        ...PARTS,
        version: 4,
        rules: [
          compiledRule({
            schedule: { timeZone: 'Mars/Olympus', windows: [{ days: ['mon'], from: '08:00', to: '17:00' }] },
          }),
        ],
      },
      /rule fire has the time zone Mars\/Olympus/,
    ],
    ['no MessagePack', new Uint8Array([0xc1, 1, 2]), /PAYLOAD_INVALID/],
    ['a bundle that is no MessagePack', signed(new Uint8Array([0xc1, 1, 2])), /PAYLOAD_INVALID/],
  ])('rejects %s, says why, and keeps the last good one', async (_name, bad, reason) => {
    const cache = await withRules()
    await cache.offer(bad instanceof Uint8Array ? bad : encodeBundle(bad))
    expect(cache.error).toMatch(reason)
    expect(cache.version).toBe(3)
    expect(cache.current!.judge(AXES[0]!, 'gate')).toHaveLength(1)
    expect((await opened()).version).toBe(3)
    await cache.offer(encodeBundle({ ...PARTS, version: 5 }))
    expect([cache.version, cache.error]).toEqual([5, undefined])
  })

  it.each([0, 40, -1])(
    'does without a saved bundle that is damaged at byte %i, until the hub sends one',
    async at => {
      await withRules()
      await flip('rules.bundle', at)
      const cache = await opened()
      expect(cache.current).toBeUndefined()
      expect(cache.error).toMatch(/^RULES_CACHE_DAMAGED/)
      await cache.offer(encodeBundle({ ...PARTS, version: 3 }))
      expect([cache.version, cache.error]).toEqual([3, undefined])
      expect((await opened()).version).toBe(3)
    },
  )

  it('drops saved rules of another model', async () => {
    await withRules()
    const cache = await opened({ fingerprint: 'other:0123456789ab', dim: 8 })
    expect(cache.current).toBeUndefined()
    expect(cache.error).toMatch(/RULES_INVALID/)
  })

  it('takes bundles that come close together in their order', async () => {
    const cache = await opened()
    const offers = [1, 2, 3, 4].map(version => cache.offer(encodeBundle({ ...PARTS, version })))
    await Promise.all(offers)
    expect([cache.version, cache.error]).toEqual([4, undefined])
  })
})
