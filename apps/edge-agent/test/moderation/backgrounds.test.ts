import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BACKGROUND } from '@sightline/core/moderation/background.js'
import { Backgrounds } from '@sightline/edge-agent/moderation/backgrounds.js'
import { ruleKeys } from '@sightline/edge-agent/moderation/rule-keys.js'
import { ruleVectors } from '@sightline/edge-agent/moderation/rule-vectors.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AXES, type BundleParts, bundleOf, compiledRule } from '../support/bundles.ts'
import { quiet } from '../support/quiet.ts'
import { until } from '../support/until.ts'

const NOW = 1_700_000_000_000
const STEP_MS = 10_000
const FRAMES = BACKGROUND.warmUpFrames

let dir = ''
let open: Backgrounds[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'backgrounds-'))
  open = []
})
afterEach(async () => {
  // They save by themselves; nothing may be written while the folder goes.
  await Promise.all(open.map(each => each.save()))
  await rm(dir, { recursive: true, force: true })
})

const rule = compiledRule()
const keysOf = (change: Partial<BundleParts> = {}) =>
  ruleKeys(ruleVectors(bundleOf({ vectors: AXES, rules: [rule], neutral: [7], ...change })))
const KEYS = keysOf()

function opened(keys = KEYS): Backgrounds {
  const backgrounds = new Backgrounds({ path: join(dir, 'backgrounds.json'), log: quiet })
  open.push(backgrounds)
  backgrounds.adopt(keys)
  return backgrounds
}

interface Filming {
  readonly camera?: string
  readonly from?: number
  readonly frames?: number
  /** undefined: the gate is not reached. */
  readonly logit?: number | undefined
  readonly score?: number
  readonly keys?: ReadonlyMap<string, string>
}

function film(backgrounds: Backgrounds, filming: Filming): void {
  const { camera = 'gate', from = NOW, frames = FRAMES, logit, score = 0.3, keys = KEYS } = filming
  for (let i = 0; i < frames; i++) {
    const judgements = logit === undefined ? [] : [{ rule, score, similarity: 0.3, logit }]
    backgrounds.observe({ camera, at: from + i * STEP_MS, judgements, keys })
  }
}

describe('Backgrounds', () => {
  it('learns per camera', () => {
    const backgrounds = opened()
    film(backgrounds, { logit: -1 })
    film(backgrounds, { camera: 'yard', logit: -8 })
    expect(backgrounds.offset('gate', 'fire')).toBeGreaterThan(1)
    expect(backgrounds.offset('yard', 'fire')).toBe(0)
    expect(backgrounds.offset('roof', 'fire')).toBe(0)
    expect(backgrounds.offset('gate', 'smoke')).toBe(0)
  })

  it('learns nothing while the score has not let go', () => {
    const backgrounds = opened()
    film(backgrounds, { logit: 2, score: rule.off })
    expect(backgrounds.offset('gate', 'fire')).toBe(0)
    film(backgrounds, { logit: 2, score: rule.off - 0.01, from: NOW + FRAMES * STEP_MS })
    expect(backgrounds.offset('gate', 'fire')).toBeGreaterThan(0)
  })

  it('keeps nothing for quiet pairs', () => {
    const backgrounds = opened()
    film(backgrounds, { logit: -20 })
    film(backgrounds, { frames: 1, from: NOW + FRAMES * STEP_MS })
    expect(backgrounds.size).toBe(0)
  })

  it('takes a camera on which the rule was silent for quiet, not for new', () => {
    const backgrounds = opened()
    film(backgrounds, { frames: 2 * FRAMES })
    // Without the silence this would be a whole warm-up, and corrected.
    film(backgrounds, { logit: -1, from: NOW + 2 * FRAMES * STEP_MS })
    expect(backgrounds.size).toBe(1)
    expect(backgrounds.offset('gate', 'fire')).toBe(0)
  })

  it('holds no more than its bound', () => {
    const backgrounds = opened()
    const many = Array.from({ length: 5000 }, (_, i) => compiledRule({ id: `rule-${i}` }))
    const keys = new Map(many.map(({ id }) => [id, id]))
    backgrounds.adopt(keys)
    const judgements = many.map(each => ({ rule: each, score: 0.3, similarity: 0.3, logit: 0 }))
    for (let camera = 0; camera < 5; camera++) {
      backgrounds.observe({ camera: `camera-${camera}`, at: NOW, judgements, keys })
    }
    expect(backgrounds.size).toBe(20_000)
    backgrounds.adopt(KEYS)
    expect(backgrounds.size).toBe(0)
  })

  it.each<[string, Partial<BundleParts>]>([
    ['other prompts', { rules: [compiledRule({ positives: [0, 1] })] }],
    ['a prompt that became a negative', { rules: [compiledRule({ positives: [0], negatives: [1] })] }],
    ['another gate', { rules: [compiledRule({ minSimilarity: 0.2 })] }],
    ['another gate of examples', { rules: [compiledRule({ minExampleSimilarity: 0.7 })] }],
    ['an example', { rules: [compiledRule({ positiveExamples: [1] })] }],
    ['an example of what is not meant', { rules: [compiledRule({ negativeExamples: [1] })] }],
    ['a head', { rules: [compiledRule({ head: { row: 1, scale: 3, bias: -1 } })] }],
    ['other neutral prompts', { neutral: [6] }],
    ['another model', { fingerprint: 'other:0123456789ab' }],
    ['another temperature', { logitScale: 21 }],
    ['no such rule', { rules: [] }],
  ])('forgets what it learnt under a bundle with %s', (_name, change) => {
    const backgrounds = opened()
    film(backgrounds, { logit: -1 })
    backgrounds.adopt(keysOf(change))
    expect([backgrounds.offset('gate', 'fire'), backgrounds.size]).toEqual([0, 0])
  })

  it('keeps it when names, thresholds, cameras or the order of vectors change', () => {
    const backgrounds = opened()
    film(backgrounds, { logit: -1 })
    const offset = backgrounds.offset('gate', 'fire')
    const change = { name: 'Blaze', on: 0.9, off: 0.2, cameras: ['gate'], positives: [1] }
    const vectors = [AXES[1]!, AXES[0]!, ...AXES.slice(2)]
    backgrounds.adopt(keysOf({ vectors, rules: [compiledRule(change)] }))
    expect(backgrounds.offset('gate', 'fire')).toBe(offset)
  })

  it('learns nothing from frames that former rules judged', () => {
    const backgrounds = opened()
    film(backgrounds, { logit: -1, keys: keysOf({ rules: [] }) })
    expect(backgrounds.size).toBe(0)
  })

  it('goes on after a restart where it was, also in the middle of the warm-up', async () => {
    const [first, whole] = [opened(), opened()]
    film(whole, { logit: -1, frames: FRAMES + 5 })
    // It saves by itself to the same file; not after this.
    await whole.save()
    film(first, { logit: -1, frames: 20 })
    await first.save()
    const second = opened()
    await second.load()
    second.adopt(keysOf())
    film(second, { logit: -1, from: NOW + 20 * STEP_MS, frames: FRAMES - 15, keys: KEYS })
    // Keys are compared by identity: these are of no scorer in force.
    expect(second.offset('gate', 'fire')).toBe(0)
    second.adopt(KEYS)
    film(second, { logit: -1, from: NOW + 20 * STEP_MS, frames: FRAMES - 15 })
    expect(second.offset('gate', 'fire')).toBe(whole.offset('gate', 'fire'))
  })

  it('saves by itself every five minutes of frame time', async () => {
    const backgrounds = opened()
    film(backgrounds, { logit: -1, frames: 31 })
    const path = join(dir, 'backgrounds.json')
    await until(() => existsSync(path))
    const saved = JSON.parse(await readFile(path, 'utf8'))
    expect(saved.cameras[0].at).toBe(NOW + 30 * STEP_MS)
  })

  it.each(['', '{"format":1', '{"format":2,"since":[],"cameras":[]}', '[]'])(
    'begins anew where the file holds %j',
    async content => {
      await writeFile(join(dir, 'backgrounds.json'), content)
      const backgrounds = opened()
      await backgrounds.load()
      film(backgrounds, { logit: -1 })
      expect(backgrounds.offset('gate', 'fire')).toBeGreaterThan(1)
      await backgrounds.save()
      const again = opened()
      await again.load()
      expect(again.offset('gate', 'fire')).toBe(backgrounds.offset('gate', 'fire'))
    },
  )

  it('forgets cameras that showed nothing for a month', async () => {
    const backgrounds = opened()
    film(backgrounds, { logit: -1 })
    film(backgrounds, { camera: 'yard', logit: -1, from: NOW + 31 * 86_400_000 })
    await backgrounds.save()
    const again = opened()
    await again.load()
    expect(again.offset('gate', 'fire')).toBe(0)
    expect(again.offset('yard', 'fire')).toBeGreaterThan(1)
  })
})
