import { chooseProvider, type ProviderState } from '@sightline/core/clip/provider-choice.js'
import type { ProviderReport } from '@sightline/core/clip/providers.js'
import { describe, expect, test } from 'vitest'
import { DIM, modelDirectory, pretend, reportsOf } from './pretended-providers.ts'

const at = modelDirectory()

describe('choosing', () => {
  test('takes the CPU without measuring where nothing else works', async () => {
    const { run, seen } = pretend({})
    const choice = await chooseProvider({
      dir: at.dir,
      provider: 'auto',
      cacheDir: at.cacheDir,
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
      dir: at.dir,
      provider: 'auto',
      cacheDir: at.cacheDir,
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
    const options = { dir: at.dir, provider: 'auto', cacheDir: at.cacheDir, probe, measure: run } as const
    const first = await chooseProvider(options)
    const before = seen.length
    expect(await chooseProvider(options)).toEqual(first)
    expect(seen).toHaveLength(before)
  })

  test('prefers the order of the providers where the speed is the same', async () => {
    const { run } = pretend({ cuda: 10.2, cpu: 10 })
    const probe = reportsOf(['cuda', 'cpu'])
    const choice = await chooseProvider({ dir: at.dir, provider: 'auto', probe, measure: run })
    expect(choice.provider).toBe('cuda')
  })

  test('refuses an explicit one that is not there, and says how to get it', async () => {
    const probe = async (): Promise<ProviderReport[]> => [
      { provider: 'cuda', available: false, reason: 'no library', remedy: 'Install it.' },
    ]
    await expect(chooseProvider({ dir: at.dir, provider: 'cuda', probe })).rejects.toMatchObject({
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
    await expect(
      chooseProvider({ dir: at.dir, provider: 'webgpu', probe, measure: run }),
    ).rejects.toMatchObject({
      code: 'PROVIDER_UNTRUSTED',
      message: expect.stringMatching(reason),
    })
  })
})
