import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { measure } from '@sightline/core/clip/benchmark.js'
import type { ExecutionProvider, ProviderReport } from '@sightline/core/clip/providers.js'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { writeTinyModel } from './tiny-model.ts'

export const DIM = 8

export interface ModelDirectory {
  /** Removed with the last test. */
  readonly root: string
  /** Of a small model. */
  readonly dir: string
  /** New for each test. */
  readonly cacheDir: string
}

/** For all tests of a file. */
export function modelDirectory(): ModelDirectory {
  let root = ''
  let cacheDir = ''
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'sightline-providers-'))
    const imageWeights = new Float32Array(3 * DIM)
    for (let c = 0; c < 3; c++) imageWeights[c * DIM + c] = 1
    await writeTinyModel(join(root, 'tiny'), { dim: DIM, imageWeights })
  })
  beforeEach(async () => {
    cacheDir = await mkdtemp(join(root, 'cache-'))
  })
  afterAll(() => rm(root, { recursive: true }))
  return {
    get root() {
      return root
    },
    get dir() {
      return join(root, 'tiny')
    },
    get cacheDir() {
      return cacheDir
    },
  }
}

/** A probe that finds these. */
export function reportsOf(available: readonly ExecutionProvider[]): () => Promise<ProviderReport[]> {
  return async () => available.map(provider => ({ provider, available: true, reason: 'test' }))
}

/** Measures the CPU for others: so much slower or faster, with embeddings spoilt on demand. */
export function pretend(
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
