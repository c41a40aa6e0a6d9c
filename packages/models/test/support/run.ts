import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ModelProto } from '@sightline/models/onnx/proto.js'
import { type Feeds, runFloats, withSession } from '@sightline/models/quantize/runtime.js'
import ort from 'onnxruntime-node'
import { noise, random } from './graphs.ts'

export const require = createRequire(import.meta.url)

export function pictureFeeds(seed: number, size = 16): Feeds {
  return { pixel_values: new ort.Tensor('float32', noise(3 * size * size, seed), [1, 3, size, size]) }
}

export function tokenFeeds(seed: number, length = 9, vocabulary = 200): Feeds {
  const next = random(seed)
  const ids = BigInt64Array.from({ length }, () => BigInt(Math.floor(next() * vocabulary)))
  return { input_ids: new ort.Tensor('int64', ids, [1, length]) }
}

export function floatFeeds(name: string, dims: readonly number[], seed: number): Feeds {
  const values = noise(
    dims.reduce((a, b) => a * b, 1),
    seed,
  )
  return { [name]: new ort.Tensor('float32', values, [...dims]) }
}

/** The first output of one run. */
export async function output(model: ModelProto, feeds: Feeds, dir = '/'): Promise<Float32Array> {
  const results = await withSession({ model, dir }, session => runFloats(session, feeds))
  return [...results.values()][0]!
}

export async function withTempDir<T>(use: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'sightline-models-'))
  try {
    return await use(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** Operators of a model, with their counts. */
export function operators(model: ModelProto): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { opType = '' } of model.graph?.node ?? []) counts[opType] = (counts[opType] ?? 0) + 1
  return counts
}

/** Code of the fault that a promise or function ends in. */
export async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
  return 'no fault'
}
