import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Candidate, Measurement } from '@sightline/core/clip/benchmark.js'
import { measure } from '@sightline/core/clip/benchmark.js'
import { loadModel } from '@sightline/core/clip/model.js'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { openModel } from '@sightline/core/clip/open-model.js'
import { engineFile } from '@sightline/core/clip/ort-session.js'
import { PROBE_INPUT, probeExpected, probeModel } from '@sightline/core/clip/probe-model.js'
import { chooseProvider, type ProviderState } from '@sightline/core/clip/provider-choice.js'
import {
  type ExecutionProvider,
  type ProviderReport,
  probeProviders,
} from '@sightline/core/clip/providers.js'
import { runTrial, type TrialOutcome } from '@sightline/core/clip/trial.js'
import type { Clock } from '@sightline/core/clock.js'
import onnxProto from 'onnx-proto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { writeTinyModel } from './tiny-model.ts'

const DIM = 8
let root: string
let dir: string
let cacheDir: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sightline-providers-'))
  dir = join(root, 'tiny')
  const imageWeights = new Float32Array(3 * DIM)
  for (let c = 0; c < 3; c++) imageWeights[c * DIM + c] = 1
  await writeTinyModel(dir, { dim: DIM, imageWeights })
})
beforeEach(async () => {
  cacheDir = await mkdtemp(join(root, 'cache-'))
})
afterAll(() => rm(root, { recursive: true }))

const trial = {
  model: probeModel(),
  provider: 'cpu' as const,
  feeds: [{ name: PROBE_INPUT.name, dims: PROBE_INPUT.dims, data: PROBE_INPUT.data }],
  output: 'y',
  measureMs: 1,
  threads: 1,
}
const answer: TrialOutcome = {
  ok: true,
  data: probeExpected(),
  dims: [1, 16],
  readyMs: 1,
  runMs: [],
  nodes: {},
}

describe('a trial in a child process', () => {
  test('computes, times its runs and tells where the nodes ran', async () => {
    const outcome = await runTrial(trial, { timeoutMs: 20_000 })
    expect(outcome).toMatchObject({ ok: true, dims: [1, 16], nodes: { cpu: 2 } })
    if (!outcome.ok) return
    expect(outcome.runMs.length).toBeGreaterThanOrEqual(3)
    for (const [i, value] of probeExpected().entries()) expect(outcome.data[i]).toBeCloseTo(value, 5)
  })

  test.each([
    ['process.abort()', 20_000, /SIGABRT/],
    ['process.stderr.write("driver is broken\\n"); process.exit(7)', 20_000, /with 7: driver is broken/],
    ['setInterval(() => {}, 1000)', 500, /no answer within 0\.5 s/],
  ])('survives a child that does %s', async (code, timeoutMs, reason) => {
    const script = join(root, `child-${code.length}.mjs`)
    await writeFile(script, `process.once('message', () => { ${code} })`)
    const outcome = await runTrial(trial, { timeoutMs, script: pathToFileURL(script) })
    expect(outcome).toMatchObject({ ok: false, reason: expect.stringMatching(reason) })
  })

  test('says what ONNX Runtime says', async () => {
    const outcome = await runTrial({ ...trial, model: join(root, 'no.onnx') }, { timeoutMs: 20_000 })
    expect(outcome).toMatchObject({ ok: false, reason: expect.stringMatching(/no\.onnx/) })
  })

  test('the graph that it probes with is a valid one', () => {
    const { graph } = onnxProto.onnx.ModelProto.decode(probeModel())
    expect(graph!.node!.map(({ opType }) => opType)).toEqual(['MatMul', 'Relu'])
    expect(graph!.initializer![0]!.rawData!.length).toBe(16 * 16 * 4)
  })
})

describe('probing', () => {
  test('needs the right numbers, and tells crash and hang apart from absence', async () => {
    const outcomes: Partial<Record<ExecutionProvider, TrialOutcome>> = {
      cuda: { ok: false, reason: 'the process ended with SIGSEGV' },
      webgpu: { ...answer, data: new Float32Array(16) },
      tensorrt: answer,
    }
    const reports = await probeProviders({ thorough: true, run: async provider => outcomes[provider]! })
    const available = Object.fromEntries(reports.map(report => [report.provider, report.available]))
    expect(available).toEqual({ tensorrt: true, cuda: false, webgpu: false, cpu: true })
    for (const { available, remedy } of reports) expect(remedy === undefined).toBe(available)
    expect(reports[2]!.reason).toMatch(/wrong numbers/)
  })

  test('of what is there is remembered until the device changes', async () => {
    let runs = 0
    const run = async () => {
      runs++
      return answer
    }
    const options = { providers: ['cuda'], thorough: true, cacheDir, run } as const
    await probeProviders(options)
    expect(await probeProviders(options)).toMatchObject([{ provider: 'cuda', available: true }])
    expect(runs).toBe(1)
    const path = join(cacheDir, 'providers.json')
    const cache = JSON.parse(await readFile(path, 'utf8'))
    await writeFile(path, JSON.stringify({ ...cache, key: 'another driver' }))
    await probeProviders(options)
    expect(runs).toBe(2)
    await writeFile(path, '{ torn')
    await probeProviders(options)
    expect(runs).toBe(3)
  })

  test('really happens here for every provider', async () => {
    const reports = await probeProviders({ thorough: true })
    expect(reports.map(({ provider }) => provider)).toEqual(['tensorrt', 'cuda', 'webgpu', 'cpu'])
    expect(reports.at(-1)!.available).toBe(true)
  })
})

const reportsOf = (available: readonly ExecutionProvider[]) => async (): Promise<ProviderReport[]> =>
  available.map(provider => ({ provider, available: true, reason: 'test' }))

/** Measures the CPU for others: so much slower or faster, with embeddings spoilt on demand. */
function pretend(
  factors: Partial<Record<ExecutionProvider, number>>,
  spoil: (vector: Float32Array, provider: ExecutionProvider) => Float32Array = vector => vector,
) {
  const seen: ExecutionProvider[] = []
  const run: typeof measure = async (candidate, options) => {
    const { provider } = candidate
    seen.push(provider)
    const cpu = await measure({ ...candidate, provider: 'cpu' }, { ...options, measureMs: 1 })
    if (!cpu.ok) return cpu
    const images = cpu.canary.images.map(vector => spoil(vector.slice(), provider))
    return {
      ...cpu,
      candidate,
      msPerImage: factors[provider] ?? 100,
      canary: { images: images as [Float32Array, Float32Array] },
    }
  }
  return { run, seen }
}

describe('choosing', () => {
  test('takes the CPU without measuring where nothing else works', async () => {
    const { run, seen } = pretend({})
    const choice = await chooseProvider({
      dir,
      provider: 'auto',
      cacheDir,
      probe: reportsOf(['cpu']),
      measure: run,
    })
    expect(choice).toMatchObject({ provider: 'cpu', reason: 'the only one that works here' })
    expect(seen).toEqual([])
  })

  test('takes the fastest that can be trusted, and tries the refused one again another time', async () => {
    const { run, seen } = pretend({ cuda: 1, webgpu: 5, cpu: 20 }, (vector, provider) =>
      provider === 'cuda' ? vector.fill(1 / Math.sqrt(DIM)) : vector,
    )
    const states: ProviderState[] = []
    const options = {
      dir,
      provider: 'auto',
      cacheDir,
      probe: reportsOf(['cuda', 'webgpu', 'cpu']),
      measure: run,
      onState: (state: ProviderState) => states.push(state),
    } as const
    const choice = await chooseProvider(options)
    expect(choice.provider).toBe('webgpu')
    expect(choice.ratings.map(({ candidate }) => candidate.provider)).toEqual(['webgpu', 'cpu', 'cuda'])
    expect(choice.ratings[2]!.refused).toMatch(/same embedding/)
    expect(states).toContainEqual(expect.objectContaining({ state: 'refused', provider: 'cuda' }))
    const before = seen.length
    expect((await chooseProvider(options)).provider).toBe('webgpu')
    expect(seen.length).toBeGreaterThan(before)
  })

  test('remembers what it measured while all are sound', async () => {
    const { run, seen } = pretend({ cuda: 1, cpu: 20 })
    const probe = reportsOf(['cuda', 'cpu'])
    const options = { dir, provider: 'auto', cacheDir, probe, measure: run } as const
    const first = await chooseProvider(options)
    const before = seen.length
    expect(await chooseProvider(options)).toEqual(first)
    expect(seen).toHaveLength(before)
  })

  test('prefers the order of the providers where the speed is the same', async () => {
    const { run } = pretend({ cuda: 10.2, cpu: 10 })
    const probe = reportsOf(['cuda', 'cpu'])
    const choice = await chooseProvider({ dir, provider: 'auto', probe, measure: run })
    expect(choice.provider).toBe('cuda')
  })

  test('refuses an explicit one that is not there, and says how to get it', async () => {
    const probe = async (): Promise<ProviderReport[]> => [
      { provider: 'cuda', available: false, reason: 'no library', remedy: 'Install it.' },
    ]
    await expect(chooseProvider({ dir, provider: 'cuda', probe })).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
      message: 'cuda cannot be used here: no library. Install it.',
    })
  })

  test.each([
    ['embeddings of another model', (vector: Float32Array) => vector.reverse(), /not the known ones/],
    ['NaN', (vector: Float32Array) => vector.fill(Number.NaN), /not finite/],
  ])('refuses an explicit one that gives %s', async (_, spoil, reason) => {
    const { run } = pretend({}, (vector, provider) => (provider === 'webgpu' ? spoil(vector) : vector))
    const probe = reportsOf(['webgpu'])
    await expect(chooseProvider({ dir, provider: 'webgpu', probe, measure: run })).rejects.toMatchObject({
      code: 'PROVIDER_UNTRUSTED',
      message: expect.stringMatching(reason),
    })
  })

  test('tells that a TensorRT engine is being built', async () => {
    const { run } = pretend({ tensorrt: 1 })
    const states: ProviderState[] = []
    let finish = () => {}
    const built = new Promise<void>(resolve => {
      finish = resolve
    })
    let slept = 0
    const clock: Clock = {
      now: () => 0,
      monotonic: () => slept * 5000,
      sleep: async (_, signal) => {
        if (++slept > 2) await new Promise(resolve => signal?.addEventListener('abort', resolve))
      },
    }
    const slow: typeof measure = async (candidate, options): Promise<Measurement> => {
      if (candidate.provider === 'tensorrt') await built
      return run(candidate, options)
    }
    const onState = (state: ProviderState) => {
      states.push(state)
      if (state.state === 'building TensorRT engine' && state.elapsedMs === 10_000) finish()
    }
    const probe = reportsOf(['tensorrt', 'cpu'])
    const choice = await chooseProvider({
      dir,
      provider: 'auto',
      cacheDir,
      probe,
      measure: slow,
      clock,
      onState,
    })
    expect(choice.provider).toBe('tensorrt')
    expect(states).toContainEqual({ state: 'building TensorRT engine', elapsedMs: 5000 })
  })

  test('measures a build of an engine against the last one', async () => {
    const { run } = pretend({ tensorrt: 1 })
    const states: ProviderState[] = []
    const built: typeof measure = async (candidate, options) => {
      const measured = await run(candidate, options)
      return measured.ok ? { ...measured, readyMs: candidate.provider === 'tensorrt' ? 20_000 : 5 } : measured
    }
    const clock: Clock = {
      now: () => 0,
      monotonic: () => 5000 * states.filter(({ state }) => state === 'building TensorRT engine').length,
      sleep: () => new Promise(resolve => setImmediate(resolve)),
    }
    const options = {
      dir,
      provider: 'tensorrt',
      cacheDir,
      probe: reportsOf(['tensorrt']),
      measure: built,
      clock,
      onState: (state: ProviderState) => states.push(state),
    } as const
    await chooseProvider(options)
    const times = join(cacheDir, 'tensorrt', 'build-times.json')
    expect(JSON.parse(await readFile(times, 'utf8'))).toEqual({ 'tiny fp32': 20_000 })
    const building = () => states.filter(({ state }) => state === 'building TensorRT engine')
    expect(building()[0]).toEqual({ state: 'building TensorRT engine', elapsedMs: 0 })

    // No engine was kept, so what was remembered of the ratings does not spare the build.
    states.length = 0
    await chooseProvider(options)
    expect(building()[0]).toEqual({ state: 'building TensorRT engine', elapsedMs: 0, progress: 0 })
    expect(building()[1]).toEqual({ state: 'building TensorRT engine', elapsedMs: 5000, progress: 0.25 })
    expect(building().at(-1)).toMatchObject({ progress: 0.99 })
  })

  test('needs no build where the engine of this model, device and version is kept', async () => {
    const { run, seen } = pretend({ tensorrt: 1 })
    const states: ProviderState[] = []
    const options = {
      dir,
      provider: 'tensorrt',
      cacheDir,
      probe: reportsOf(['tensorrt']),
      onState: (state: ProviderState) => states.push(state),
    } as const
    const building: typeof measure = async (candidate, measuring) => {
      if (measuring.engineDir === undefined) return run(candidate, measuring)
      const engine = engineFile(measuring.engineDir, join(dir, candidate.file))
      await mkdir(dirname(engine), { recursive: true })
      await writeFile(engine, 'engine')
      return run(candidate, measuring)
    }
    await chooseProvider({ ...options, measure: building })
    states.length = 0
    const measured = seen.length
    await chooseProvider({ ...options, measure: building })
    expect(seen).toHaveLength(measured)
    expect(states.map(({ state }) => state)).toEqual(['probing', 'chosen'])
  })
})

describe('measuring', () => {
  const candidate: Candidate = { provider: 'webgpu', precision: 'fp32', file: 'image.onnx' }

  test('refuses a provider that leaves every node to the CPU', async () => {
    const manifest = await readManifest(dir)
    const run: typeof runTrial = asked => runTrial({ ...asked, provider: 'cpu' }, { timeoutMs: 20_000 })
    const found = await measure(candidate, { dir, manifest, threads: 1, measureMs: 1, run })
    expect(found).toMatchObject({ ok: false, reason: 'every node of this model ran on the CPU instead' })
  })

  test('gives canaries, speed and nodes', async () => {
    const manifest = await readManifest(dir)
    const cpu: Candidate = { ...candidate, provider: 'cpu' }
    const found = await measure(cpu, { dir, manifest, threads: 1, batch: 4, measureMs: 5 })
    if (!found.ok) expect.fail(found.reason)
    expect(found.canary.images[0]).toHaveLength(DIM)
    expect(found.imagesPerSecond).toBeCloseTo(1000 / found.msPerImage, 6)
    expect(Object.keys(found.nodes)).toEqual(['cpu'])
  })
})

describe('opening a model', () => {
  test('on the CPU keeps the canaries for a model without them, and checks them the next time', async () => {
    const first = await openModel({ dir, provider: 'cpu', cacheDir, threads: 1 })
    expect(first.canary).toBeUndefined()
    await first.model.close()
    const again = await openModel({ dir, provider: 'auto', cacheDir, threads: 1 })
    expect(again.choice.provider).toBe('cpu')
    expect(again.canary!.image).toBeCloseTo(1, 5)
    expect(again.canary!.text).toBeCloseTo(1, 5)
    await again.model.close()
  })

  test('on a provider that is not there is an error, never another provider', async () => {
    const [report] = await probeProviders({ providers: ['tensorrt'], thorough: true })
    if (report!.available) return
    await expect(openModel({ dir, provider: 'tensorrt', cacheDir })).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
    })
  })

  test('never falls back by itself, not even without being asked to choose', async () => {
    const [report] = await probeProviders({ providers: ['cuda'], thorough: true })
    if (report!.available) return
    const model = await loadModel({ dir, provider: 'cuda', threads: 1 })
    await expect(model.warmUp()).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await model.close()
  })

  test('refuses embeddings that are not the known ones', async () => {
    const spoilt = join(root, 'spoilt')
    const imageWeights = new Float32Array(3 * DIM).map((_, i) => Math.sin(i))
    const wrong = Buffer.from(Float32Array.from({ length: DIM }, (_, i) => +(i === 7)).buffer).toString(
      'base64',
    )
    const canary = { images: [wrong, wrong], text: 'red', textVector: wrong }
    await writeTinyModel(spoilt, { dim: DIM, imageWeights, manifest: { canary } })
    await expect(openModel({ dir: spoilt, provider: 'cpu', threads: 1 })).rejects.toMatchObject({
      code: 'PROVIDER_UNTRUSTED',
    })
  })

  test('leaves nothing but the cache behind', async () => {
    const { model } = await openModel({ dir, provider: 'auto', cacheDir, threads: 1, towers: ['image'] })
    await model.close()
    expect((await stat(join(cacheDir, 'providers.json'))).size).toBeGreaterThan(0)
  })
})
