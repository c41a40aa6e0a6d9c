import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type CompiledRule, decodeImage, fault, type ImageInput } from '@sightline/core'
import type { Frame } from '@sightline/edge-agent/camera/camera.js'
import { Gate } from '@sightline/edge-agent/gate.js'
import { Metrics } from '@sightline/edge-agent/metrics.js'
import { type IncidentStep, Incidents } from '@sightline/edge-agent/moderation/incidents.js'
import { RuleCache } from '@sightline/edge-agent/moderation/rule-cache.js'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { Pipeline, type PipelineSettings } from '@sightline/edge-agent/pipeline.js'
import sharp from 'sharp'
import { ulid } from 'ulid'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { AXES, compiledRule, encodeBundle, FINGERPRINT, RULES_TOPIC } from './support/bundles.ts'
import { FakeClock } from './support/fake-clock.ts'
import { quiet } from './support/quiet.ts'

/** Red pictures lie on axis 0, green ones on axis 1, blue ones on axis 2. */
const colourModel = {
  dim: 8,
  fingerprint: FINGERPRINT,
  async encodeImages(inputs: readonly ImageInput[]): Promise<Float32Array[]> {
    return await Promise.all(
      inputs.map(async input => {
        const { data } = await decodeImage(input)
        return AXES[[0, 1, 2].sort((a, b) => data[b]! - data[a]!)[0]!]!
      }),
    )
  },
}

const SETTINGS: PipelineSettings = {
  name: 'gate',
  thumbnails: 'none',
  thumbnailDetail: 'full',
  thumbnailPx: 32,
}
const NONE: ReadonlySet<number> = new Set()

let dir = ''
let clock: FakeClock
let outbox: Outbox
let rules: RuleCache
let metrics: Metrics
let announced: IncidentStep[]
/** Called while a commit is under way. */
let onCommit = async () => {}
/** What actions were told to take, with the number of events that were on disk by then. */
let taken: { phase: string; actions: readonly string[] | undefined; events: number }[]
let red: Buffer
let green: Buffer

beforeAll(async () => {
  const picture = (background: string) =>
    sharp({ create: { width: 64, height: 48, channels: 3, background } })
      .jpeg()
      .toBuffer()
  ;[red, green] = [await picture('#e11'), await picture('#1e1')]
})
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'pipeline-'))
  clock = new FakeClock()
  const limits = { maxBytes: 1e9, minFreeDiskBytes: 0 }
  onCommit = async () => {}
  taken = []
  const freeBytes = async () => {
    await onCommit()
    return 1e12
  }
  outbox = await Outbox.open({ dir: join(dir, 'outbox'), limits, clock, log: quiet, newId: ulid, freeBytes })
  rules = new RuleCache({ dir: join(dir, 'rules'), space: colourModel, topic: RULES_TOPIC, log: quiet })
  await rules.load()
  metrics = new Metrics()
  announced = []
})
afterEach(async () => {
  await rules.close()
  await outbox.close()
  await rm(dir, { recursive: true, force: true })
})

async function setRules(version: number, ...changes: Partial<CompiledRule>[]): Promise<void> {
  // Axis 7 competes with everything and is never near.
  await rules.offer(encodeBundle({ vectors: AXES, rules: changes.map(compiledRule), neutral: [7], version }))
  expect(rules.error).toBeUndefined()
}

/** Runs one camera through: pictures a second apart, functions called between them. */
async function film(
  steps: readonly (ImageInput | (() => unknown))[],
  settings: PipelineSettings = SETTINGS,
  model: typeof colourModel = colourModel,
): Promise<void> {
  async function* frames(): AsyncIterable<Frame> {
    for (const step of steps) {
      if (typeof step === 'function') await step()
      else {
        await clock.advance(1000)
        yield { camera: settings.name, capturedAt: clock.now(), image: step }
      }
    }
  }
  const pipeline = new Pipeline({
    settings,
    frames,
    gate: new Gate({ threshold: 2.5, maxSilenceSeconds: 60 }),
    parts: {
      model,
      rules,
      incidents: new Incidents({ newId: ulid }),
      outbox,
      actions: {
        take: (steps, rules) => {
          for (const { phase, rule } of steps) {
            taken.push({ phase, actions: rules?.rule(rule)?.actions, events: outbox.counts.records })
          }
        },
      },
      metrics,
      clock,
      log: quiet,
      onIncident: step => announced.push(step),
    },
  })
  await pipeline.run(new AbortController().signal)
}

const stored = () =>
  outbox
    .frames({ from: 1, below: outbox.next, except: NONE }, { limit: 1000, maxBytes: 1e9 })
    .map(({ item }) => item)
const phases = () => announced.map(({ phase }) => phase)

describe('Pipeline', () => {
  it('takes a frame all the way: gate, vector, verdict, incident, outbox', async () => {
    await setRules(1, { positives: [0] }, { id: 'sea', positives: [2] })
    await film([green, red, red, green])
    expect(metrics).toMatchObject({ framesSeen: 4, framesGated: 1, framesEmbedded: 3, framesFailed: 0 })
    const [first, second] = stored()
    expect(first).toMatchObject({ seq: 1, camera: 'gate', verdicts: [] })
    expect(second).toMatchObject({ seq: 2, verdicts: [{ rule: 'fire', similarity: 1, fired: true }] })
    expect(second!.verdicts[0]!.score).toBeGreaterThan(0.99)
    expect(second!.capturedAt - first!.capturedAt).toBe(1000)
    // The event stands right behind its frame; the repeated frame counted for the incident.
    expect(outbox.event({ from: 1, below: 9, except: NONE })).toMatchObject({
      seq: 3,
      step: { phase: 'new', bestFrame: 2, camera: 'gate' },
    })
    expect(announced).toMatchObject([{ phase: 'new' }, { phase: 'end', frames: 2 }])
    expect(metrics.encode.percentile(50)).toBeGreaterThanOrEqual(0)
  })

  it('counts a bad frame and goes on', async () => {
    const truncated = red.subarray(0, red.length / 2)
    await film([red, Buffer.from('no picture'), truncated, green])
    expect(metrics).toMatchObject({ framesSeen: 4, framesFailed: 2, framesEmbedded: 2 })
    expect(stored()).toHaveLength(2)
  })

  it('does not gate the frame after one that came to nothing', async () => {
    let calls = 0
    const flaky = {
      ...colourModel,
      encodeImages: async (inputs: readonly ImageInput[]) => {
        if (++calls === 1) throw fault('MODEL_FAILED', 'once')
        return await colourModel.encodeImages(inputs)
      },
    }
    await film([red, red, red], SETTINGS, flaky)
    expect(metrics).toMatchObject({ framesFailed: 1, framesEmbedded: 1, framesGated: 1 })
  })

  it('lets durations run while nothing moves', async () => {
    await setRules(1, { positives: [0], minFrames: 3 })
    await film([red, red])
    expect(phases()).toEqual([])
    await film([red, red, red])
    expect(phases()).toEqual(['new'])
    expect(announced[0]).toMatchObject({ frames: 3 })
  })

  it('judges a still scene by new rules at once', async () => {
    await setRules(1, { positives: [1] })
    await film([red, red, () => setRules(2, { positives: [0] }), red, () => setRules(3), red])
    expect(announced).toMatchObject([
      { phase: 'new', rulesVersion: 2, bestFrame: 1 },
      { phase: 'end', rulesVersion: 2 },
    ])
    expect(metrics.framesEmbedded).toBe(1)
  })

  it('learns what a camera usually shows, keeps it over a restart and forgets it with the prompts', async () => {
    await setRules(1, { positives: [0], off: 0.999999999, on: 0.999999999 })
    // A minute apart, so that the frames pass the gate and the warm-up does not wait.
    const minute = () => clock.advance(60_000)
    await film(Array.from({ length: 40 }, () => [minute, red]).flat())
    const scores = stored().map(({ verdicts }) => verdicts[0]!.score)
    expect(scores.at(-1)).toBeLessThan(scores[0]!)
    // The raw similarity stands beside it and knows no background.
    expect(stored().at(-1)!.verdicts[0]!.similarity).toBe(1)
    await rules.close()
    const reloaded = new RuleCache({
      dir: join(dir, 'rules'),
      space: colourModel,
      topic: RULES_TOPIC,
      log: quiet,
    })
    await reloaded.load()
    expect(reloaded.backgrounds.offset('gate', 'fire')).toBe(rules.backgrounds.offset('gate', 'fire'))
    expect(reloaded.backgrounds.offset('gate', 'fire')).toBeGreaterThan(1)
    await setRules(2, { positives: [0], on: 0.8, name: 'Blaze' })
    expect(rules.backgrounds.offset('gate', 'fire')).toBeGreaterThan(1)
    await setRules(3, { positives: [0, 1] })
    expect(rules.backgrounds.offset('gate', 'fire')).toBe(0)
  })

  it('raises nothing while a rule is off duty, and says in the verdict that it did not fire', async () => {
    // The clock begins on a Tuesday at 22:13:20 UTC.
    const windows: { days: ['tue']; from: string; to: string }[] = [
      { days: ['tue'], from: '22:14', to: '22:15' },
    ]
    await setRules(1, { positives: [0], schedule: { timeZone: 'UTC', windows } })
    await film([red, () => clock.advance(40_000), green, red, () => clock.advance(60_000), red, green, red])
    const verdicts = stored().flatMap(({ verdicts }) => verdicts)
    expect(verdicts.map(({ fired }) => fired)).toEqual([false, true, false, false])
    expect(verdicts[0]!.score).toBeGreaterThan(0.99)
    expect(announced).toMatchObject([{ phase: 'new' }, { phase: 'end', frames: 1 }])
    expect(announced[1]!.at).toBeLessThan(Date.parse('2023-11-14T22:15:00Z'))
  })

  it('takes a picture of what lies in the review band, but raises nothing', async () => {
    await setRules(1, { positives: [0], on: 1, reviewAt: 0.9 })
    await film([red, green], { ...SETTINGS, thumbnails: 'fired' })
    expect(stored().map(({ thumbnail }) => thumbnail !== undefined)).toEqual([true, false])
    expect([stored()[0]!.verdicts[0]!.fired, announced]).toEqual([false, []])
  })

  it('hands what incidents trigger to the actions in the commit of their events', async () => {
    await setRules(1, { positives: [0], actions: ['siren'] })
    await film([red, green, green, () => setRules(2), green])
    expect(taken).toEqual([
      { phase: 'new', actions: ['siren'], events: 0 },
      { phase: 'end', actions: ['siren'], events: 2 },
    ])
  })

  it('measures decisions to the end of the commit, also those of repeated frames', async () => {
    await setRules(1, { positives: [0], minFrames: 2 })
    onCommit = () => clock.advance(250)
    await film([red, () => clock.advance(60_000), red])
    const first = metrics.decision.percentile(1)
    expect(first).toBeGreaterThanOrEqual(250)
    expect(announced).toHaveLength(1)
  })

  it('works without rules', async () => {
    await film([red, green])
    expect(stored().map(({ verdicts }) => verdicts)).toEqual([[], []])
  })

  it.each([
    ['all', [true, true]],
    ['fired', [true, false]],
    ['none', [false, false]],
  ] as const)('sends thumbnails: %s', async (thumbnails, expected) => {
    await setRules(1, { positives: [0] })
    await film([red, green], { ...SETTINGS, thumbnails })
    expect(stored().map(({ thumbnail }) => thumbnail !== undefined)).toEqual(expected)
    const first = stored()[0]!.thumbnail
    if (first !== undefined) expect(await decodeImage(first)).toMatchObject({ width: 32, height: 24 })
  })

  it('sends blurred thumbnails where no details may leave the device', async () => {
    const pixels = Buffer.from(Array.from({ length: 64 * 48 * 3 }, (_, i) => ((i / 6) & 1) * 255))
    const stripes = { data: pixels, width: 64, height: 48 }
    await film([stripes], { ...SETTINGS, thumbnails: 'all', thumbnailDetail: 'blurred' })
    const { width, height, data } = await decodeImage(stored()[0]!.thumbnail!)
    expect([width, height]).toEqual([32, 24])
    expect(spreadOf(data)).toBeLessThan(60)
  })
})

function spreadOf(values: Uint8Array): number {
  return Math.max(...values) - Math.min(...values)
}
