import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Candidate, measure } from '@sightline/core/clip/benchmark.js'
import { loadModel } from '@sightline/core/clip/model.js'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { openModel } from '@sightline/core/clip/open-model.js'
import { probeProviders } from '@sightline/core/clip/providers.js'
import { runTrial } from '@sightline/core/clip/trial.js'
import { describe, expect, test } from 'vitest'
import { DIM, modelDirectory } from './pretended-providers.ts'
import { writeTinyModel } from './tiny-model.ts'

const at = modelDirectory()

describe('measuring', () => {
  const candidate: Candidate = { provider: 'webgpu', precision: 'fp32', file: 'image.onnx' }

  test('refuses a provider that leaves every node to the CPU', async () => {
    const manifest = await readManifest(at.dir)
    const run: typeof runTrial = asked => runTrial({ ...asked, provider: 'cpu' }, { timeoutMs: 20_000 })
    const found = await measure(candidate, { dir: at.dir, manifest, threads: 1, measureMs: 1, run })
    expect(found).toMatchObject({ ok: false, reason: 'every node of this model ran on the CPU instead' })
  })

  test('gives canaries, speed and nodes', async () => {
    const manifest = await readManifest(at.dir)
    const cpu: Candidate = { ...candidate, provider: 'cpu' }
    const found = await measure(cpu, { dir: at.dir, manifest, threads: 1, batch: 4, measureMs: 5 })
    if (!found.ok) expect.fail(found.reason)
    expect(found.canary.images[0]).toHaveLength(DIM)
    expect(found.imagesPerSecond).toBeCloseTo(1000 / found.msPerImage, 6)
    expect(Object.keys(found.nodes)).toEqual(['cpu'])
  })
})

describe('opening a model', () => {
  test('on the CPU keeps the canaries for a model without them, and checks them the next time', async () => {
    const first = await openModel({ dir: at.dir, provider: 'cpu', cacheDir: at.cacheDir, threads: 1 })
    expect(first.canary).toBeUndefined()
    await first.model.close()
    const again = await openModel({ dir: at.dir, provider: 'auto', cacheDir: at.cacheDir, threads: 1 })
    expect(again.choice.provider).toBe('cpu')
    expect(again.canary!.image).toBeCloseTo(1, 5)
    expect(again.canary!.text).toBeCloseTo(1, 5)
    await again.model.close()
  })

  test('on a provider that is not there is an error, never another provider', async () => {
    const [report] = await probeProviders({ providers: ['tensorrt'], thorough: true })
    if (report!.available) return
    await expect(
      openModel({ dir: at.dir, provider: 'tensorrt', cacheDir: at.cacheDir }),
    ).rejects.toMatchObject({
      code: 'PROVIDER_UNAVAILABLE',
    })
  })

  test('never falls back by itself, not even without being asked to choose', async () => {
    const [report] = await probeProviders({ providers: ['cuda'], thorough: true })
    if (report!.available) return
    const model = await loadModel({ dir: at.dir, provider: 'cuda', threads: 1 })
    await expect(model.warmUp()).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await model.close()
  })

  test('refuses embeddings that are not the known ones', async () => {
    const spoilt = join(at.root, 'spoilt')
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
    const { model } = await openModel({
      dir: at.dir,
      provider: 'auto',
      cacheDir: at.cacheDir,
      threads: 1,
      towers: ['image'],
    })
    await model.close()
    expect((await stat(join(at.cacheDir, 'providers.json'))).size).toBeGreaterThan(0)
  })
})
