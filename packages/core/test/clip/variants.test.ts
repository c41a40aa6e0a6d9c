import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Candidate, candidatesOf, measure } from '@sightline/core/clip/benchmark.js'
import { loadModel } from '@sightline/core/clip/model.js'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { openModel } from '@sightline/core/clip/open-model.js'
import { chooseProvider, type ProviderState } from '@sightline/core/clip/provider-choice.js'
import type { ExecutionProvider, ProviderReport } from '@sightline/core/clip/providers.js'
import { imageFiles, imageTowerOf } from '@sightline/core/clip/variants.js'
import { dot } from '@sightline/core/vector.js'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { temporaryDir } from './temporary-dir.ts'
import { entry, writeTinyModel } from './tiny-model.ts'
import { type Tower, tinyTower } from './tiny-towers.ts'

const DIM = 8
const weights = Float32Array.from({ length: 3 * DIM }, (_, i) => Math.sin(1 + i))

const root = temporaryDir('sightline-variants-')
let dir: string
let cacheDir: string
let count = 0

/** A model whose own file is float32, with the variants named. */
async function modelWith(variants: Partial<Record<Tower, Float32Array>>, own: object = {}): Promise<string> {
  const place = join(root.path, `model-${++count}`)
  const section: Record<string, unknown> = {}
  await writeTinyModel(place, { dim: DIM, imageWeights: weights })
  for (const [kind, values] of Object.entries(variants)) {
    const bytes = tinyTower(kind as Tower, values, DIM)
    await writeFile(join(place, `image.${kind}.onnx`), bytes)
    section[kind] = { file: entry(`image.${kind}.onnx`, bytes) }
  }
  await writeTinyModel(place, { dim: DIM, imageWeights: weights, image: { variants: section, ...own } })
  return place
}

beforeAll(async () => {
  await root.make()
  dir = await modelWith({ fp16: weights, dynamic: weights, qdq: weights })
})
beforeEach(() => {
  cacheDir = join(root.path, `cache-${++count}`)
})
afterAll(() => root.remove())

const reportsOf = (available: readonly ExecutionProvider[]) => async (): Promise<ProviderReport[]> =>
  available.map(provider => ({ provider, available: true, reason: 'test' }))

const nameOf = ({ provider, variant }: Candidate) => `${provider} ${variant ?? 'own'}`

/** Computes on the CPU in the name of other providers, at speeds that are given. */
function pretend(speeds: Readonly<Record<string, number>>) {
  const seen: string[] = []
  const run: typeof measure = async (candidate, options) => {
    seen.push(nameOf(candidate))
    const cpu = await measure({ ...candidate, provider: 'cpu' }, { ...options, measureMs: 1 })
    return cpu.ok ? { ...cpu, candidate, msPerImage: speeds[nameOf(candidate)] ?? 100 } : cpu
  }
  return { run, seen }
}

describe('the files of the image tower', () => {
  test('the fingerprint is that of the file which the manifest names first', async () => {
    const [manifest, plain] = [await readManifest(dir), await readManifest(await modelWith({}))]
    expect(modelFingerprint(manifest)).toBe(modelFingerprint(plain))
    expect(imageFiles(manifest).map(({ variant, kind, precision }) => [variant, kind, precision])).toEqual([
      [undefined, 'fp32', 'fp32'],
      ['fp16', 'fp16', 'fp16'],
      ['dynamic', 'dynamic', 'int8'],
      ['qdq', 'qdq', 'int8'],
    ])
    expect(imageTowerOf(manifest, 'qdq')).toMatchObject({
      precision: 'int8',
      file: { path: 'image.qdq.onnx' },
    })
  })

  test('GPUs get float and static int8, the CPU float32 and int8', async () => {
    const candidates = candidatesOf(await readManifest(dir), ['cuda', 'cpu'])
    expect(candidates.map(nameOf)).toEqual([
      'cuda own',
      'cuda fp16',
      'cuda qdq',
      'cpu own',
      'cpu dynamic',
      'cpu qdq',
    ])
  })

  test('an own file that suits no provider is still better than none', async () => {
    const manifest = await readManifest(await modelWith({}, { precision: 'int8', maxBatch: 1 }))
    expect(candidatesOf(manifest, ['cuda', 'cpu']).map(nameOf)).toEqual(['cuda own', 'cpu own'])
  })

  test('an unknown kind and a path that leads outside are faults of the manifest', async () => {
    const file = entry('../x.onnx', Buffer.from('x'))
    const bad = await modelWith({}, { variants: { int4: { file }, qdq: { file } } })
    const error = await readManifest(bad).catch(error => error)
    expect(error).toMatchObject({ code: 'MODEL_INVALID' })
    expect(error.message).toMatch(/^image\.variants\.int4: /m)
    expect(error.message).toMatch(/^image\.variants\.qdq\.file\.path: /m)
  })
})

describe('choosing among files', () => {
  test('really happens on the CPU, and every file passes the canary', async () => {
    const choice = await chooseProvider({ dir, provider: 'cpu', cacheDir, threads: 1 })
    expect(choice.provider).toBe('cpu')
    expect(choice.ratings).toHaveLength(3)
    for (const { cosine, nodes, refused } of choice.ratings) {
      expect(refused).toBeUndefined()
      expect(cosine).toBeGreaterThan(0.99)
      expect(nodes!.cpu).toBeGreaterThan(0)
    }
    expect(choice.reason).toMatch(/^as configured; the fastest of cpu \w+, cpu \w+, cpu \w+ \(\d+\.\d ms/)
  })

  test('a float16 file computes, too', async () => {
    const manifest = await readManifest(dir)
    const fp16 = { provider: 'cpu', precision: 'fp16', file: 'image.fp16.onnx', variant: 'fp16' } as const
    const measured = await measure(fp16, { dir, manifest, threads: 1, measureMs: 1 })
    expect(measured.ok).toBe(true)
  })

  test('the fastest pair of provider and file is taken, and remembered', async () => {
    const { run, seen } = pretend({ 'cuda own': 9, 'cuda fp16': 3, 'cuda qdq': 5, 'cpu dynamic': 20 })
    const states: ProviderState[] = []
    const options = {
      dir,
      provider: 'auto',
      cacheDir,
      probe: reportsOf(['cuda', 'cpu']),
      measure: run,
      onState: (state: ProviderState) => states.push(state),
    } as const
    const choice = await chooseProvider(options)
    expect(nameOf(choice.candidate)).toBe('cuda fp16')
    expect(choice.reason).toMatch(/^the fastest of cuda fp16, cuda qdq, cuda fp32, cpu dynamic, .* \(3\.0 ms/)
    expect(states.at(-1)).toMatchObject({ state: 'chosen', provider: 'cuda', variant: 'fp16' })
    const before = seen.length
    expect(await chooseProvider(options)).toEqual(choice)
    expect(seen).toHaveLength(before)
  })

  test('at the same speed the file that the manifest names first is taken', async () => {
    const { run } = pretend({ 'cpu own': 10.3, 'cpu dynamic': 10, 'cpu qdq': 10.1 })
    const choice = await chooseProvider({ dir, provider: 'cpu', cacheDir, measure: run })
    expect(nameOf(choice.candidate)).toBe('cpu own')
  })

  test('a variant that is another model is refused, as is a damaged one', async () => {
    const place = await modelWith({
      fp16: weights,
      qdq: weights.map((_, i) => Math.cos(3 * i)),
      dynamic: weights,
    })
    await writeFile(join(place, 'image.dynamic.onnx'), 'x'.repeat(10))
    const { run } = pretend({ 'cpu own': 50 })
    const choice = await chooseProvider({ dir: place, provider: 'cpu', cacheDir, measure: run })
    const refused = Object.fromEntries(
      choice.ratings.map(({ candidate, refused }) => [nameOf(candidate), refused]),
    )
    expect(nameOf(choice.candidate)).toBe('cpu own')
    expect(refused['cpu qdq']).toMatch(/not the known ones/)
    expect(refused['cpu dynamic']).toMatch(/has 10 bytes/)
  })

  test('a variant that was not copied to the device is no candidate', async () => {
    const place = await modelWith({ dynamic: weights, qdq: weights })
    await rm(join(place, 'image.dynamic.onnx'))
    await rm(join(place, 'image.qdq.onnx'))
    const choice = await chooseProvider({ dir: place, provider: 'cpu', cacheDir })
    expect(choice).toMatchObject({ ratings: [], candidate: { file: 'image.onnx' }, reason: 'as configured' })
  })
})

describe('opening', () => {
  test('uses the file that was chosen, with the fingerprint of the model', async () => {
    const { run } = pretend({ 'cpu dynamic': 1 })
    const open = await openModel({ dir, provider: 'cpu', cacheDir, threads: 1, measure: run })
    const plain = await loadModel({ dir, threads: 1 })
    try {
      expect(open.choice.candidate.variant).toBe('dynamic')
      expect(open.model.fingerprint).toBe(plain.fingerprint)
      const red = {
        data: new Uint8Array(3 * 256).map((_, i) => (i % 3 === 0 ? 200 : 30)),
        width: 16,
        height: 16,
      }
      const [a] = await open.model.encodeImages([red])
      const [b] = await plain.encodeImages([red])
      expect(dot(a!, b!)).toBeGreaterThan(0.99)
      expect(Buffer.from(a!.buffer)).not.toEqual(Buffer.from(b!.buffer))
    } finally {
      await open.model.close()
      await plain.close()
    }
  })

  test('goes on with the next file when the chosen one fails after all', async () => {
    const place = await modelWith({ qdq: weights.map((_, i) => Math.cos(3 * i)) })
    const states: ProviderState[] = []
    const lying: typeof measure = async (candidate, options) => {
      const own = await measure({ ...candidate, file: 'image.onnx' }, { ...options, measureMs: 1 })
      return own.ok ? { ...own, candidate, msPerImage: candidate.variant === 'qdq' ? 1 : 50 } : own
    }
    const { model, choice } = await openModel({
      dir: place,
      provider: 'cpu',
      cacheDir,
      threads: 1,
      measure: lying,
      onState: state => states.push(state),
    })
    await model.close()
    expect(choice.candidate.variant).toBeUndefined()
    expect(states).toContainEqual(expect.objectContaining({ state: 'refused', variant: 'qdq' }))
  })
})
