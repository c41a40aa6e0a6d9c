import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Measurement, measure } from '@sightline/core/clip/benchmark.js'
import { engineFile } from '@sightline/core/clip/ort-session.js'
import { chooseProvider, type ProviderState } from '@sightline/core/clip/provider-choice.js'
import type { Clock } from '@sightline/core/clock.js'
import { describe, expect, test } from 'vitest'
import { modelDirectory, pretend, reportsOf } from './pretended-providers.ts'

const at = modelDirectory()

describe('a TensorRT engine', () => {
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
      dir: at.dir,
      provider: 'auto',
      cacheDir: at.cacheDir,
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
      dir: at.dir,
      provider: 'tensorrt',
      cacheDir: at.cacheDir,
      probe: reportsOf(['tensorrt']),
      measure: built,
      clock,
      onState: (state: ProviderState) => states.push(state),
    } as const
    await chooseProvider(options)
    const times = join(at.cacheDir, 'tensorrt', 'build-times.json')
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
      dir: at.dir,
      provider: 'tensorrt',
      cacheDir: at.cacheDir,
      probe: reportsOf(['tensorrt']),
      onState: (state: ProviderState) => states.push(state),
    } as const
    const building: typeof measure = async (candidate, measuring) => {
      if (measuring.engineDir === undefined) return run(candidate, measuring)
      const engine = engineFile(measuring.engineDir, join(at.dir, candidate.file))
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
