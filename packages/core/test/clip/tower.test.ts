import { readFileSync } from 'node:fs'
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { imageRunner } from '@sightline/core/clip/image-encoder.js'
import type { ModelManifest } from '@sightline/core/clip/model-manifest.js'
import { TowerSession } from '@sightline/core/clip/session.js'
import { textRunner } from '@sightline/core/clip/text-encoder.js'
import { Tower } from '@sightline/core/clip/tower.js'
import { l2Normalize } from '@sightline/core/vector.js'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { dataPath } from './test-data.ts'
import { writeTinyModel } from './tiny-model.ts'

let dir: string
const DIM = 8
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-tower-'))
  await writeTinyModel(join(dir, 'good'), {
    dim: DIM,
    imageWeights: Float32Array.from({ length: 24 }, (_, i) => i / 10 - 1),
  })
  await writeTinyModel(join(dir, 'nan'), { dim: DIM, imageWeights: new Float32Array(24).fill(Number.NaN) })
})
afterAll(() => rm(dir, { recursive: true }))

const spec = (model: string, over = {}) => ({
  path: join(dir, model, 'image.onnx'),
  dim: DIM,
  inputs: ['pixel_values'],
  output: 'image_embeds',
  ...over,
})
const feed = (batch: number, value = 1, type: 'float32' | 'int32' = 'float32') => {
  const dims = [batch, 3, 16, 16]
  const length = batch * 768
  return type === 'float32'
    ? { name: 'pixel_values', type, data: new Float32Array(length).fill(value), dims }
    : { name: 'pixel_values', type, data: new Int32Array(length).fill(value), dims }
}

describe('a tower', () => {
  test('gives one unit vector per item, and opens once for callers that come together', async () => {
    const tower = new Tower(spec('good'), { threads: 1 })
    const [two, one] = await Promise.all([tower.embed([feed(2)], 2), tower.embed([feed(1)], 1)])
    expect([two.length, one.length]).toEqual([2, 1])
    for (const vector of [...two, ...one] as Float32Array[]) {
      expect(vector).toHaveLength(DIM)
      expect(Math.hypot(...vector)).toBeCloseTo(1, 6)
    }
    await tower.close()
  })

  test.each([
    ['NaN', 'nan', 1],
    ['a zero vector', 'good', 0],
  ])('reports %s per item', async (_, model, value) => {
    const tower = new Tower(spec(model), { threads: 1 })
    expect(await tower.embed([feed(1, value)], 1)).toEqual([
      expect.objectContaining({ code: 'MODEL_OUTPUT_INVALID' }),
    ])
    await tower.close()
  })

  test.each([
    ['the width', { dim: 9 }, /8 values, not 9/],
    ['the input', { inputs: ['pixels'] }, /no input pixels; input pixel_values is not in the manifest/],
    ['the output', { output: 'embeds' }, /no output embeds/],
  ])('refuses a file that differs from the manifest in %s', async (_, over, message) => {
    await expect(new Tower(spec('good', over), {}).open()).rejects.toMatchObject({
      code: 'MODEL_INVALID',
      message,
    })
  })

  test('refuses an output of another batch size', async () => {
    const tower = new Tower(spec('good'), { threads: 1 })
    await expect(tower.embed([feed(2)], 3)).rejects.toMatchObject({ code: 'MODEL_OUTPUT_INVALID' })
    await tower.close()
  })

  test('that failed to open can open later', async () => {
    const path = join(dir, 'late.onnx')
    const tower = new Tower(spec('good', { path }), { threads: 1 })
    await expect(tower.open()).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await copyFile(join(dir, 'good', 'image.onnx'), path)
    await tower.open()
    await tower.close()
  })
})

describe('a tower whose thread dies', () => {
  /** Ends the thread in place of handing it the run. */
  async function killUnder<Result>(run: () => Promise<Result>): Promise<Result> {
    const post = vi.spyOn(Worker.prototype, 'postMessage').mockImplementationOnce(function (this: Worker) {
      void this.terminate()
    })
    return run().finally(() => post.mockRestore())
  }
  const failed = { code: 'MODEL_FAILED' }

  test('fails what was running and goes on with a new one', async () => {
    const tower = new Tower(spec('good'), { threads: 1 })
    const [before] = await tower.embed([feed(1)], 1)
    await expect(killUnder(() => tower.embed([feed(1)], 1))).rejects.toMatchObject(failed)
    expect(tower.deaths).toBe(1)
    expect(await tower.embed([feed(1)], 1)).toEqual([before])
    await tower.close()
    expect(tower.deaths).toBe(1)
  })

  test('gives up when it dies again and again, for ten minutes', async () => {
    let now = 0
    const clock = { now: () => now, monotonic: () => now, sleep: async () => undefined }
    const tower = new Tower(spec('good'), { threads: 1, clock })
    for (let death = 0; death < 3; death++) {
      await tower.open()
      await expect(killUnder(() => tower.embed([feed(1)], 1))).rejects.toMatchObject(failed)
      now += 60_000
    }
    await expect(tower.embed([feed(1)], 1)).rejects.toMatchObject({
      code: 'MODEL_FAILED',
      message: /ended 3 times within 10 minutes/,
    })
    now = 10 * 60_000
    expect(await tower.embed([feed(1)], 1)).toHaveLength(1)
    await tower.close()
  })
})

describe('a session', () => {
  test('tells what the file takes and gives', async () => {
    const session = await TowerSession.open(join(dir, 'good', 'text.onnx'))
    expect(session.info).toEqual({
      inputs: {
        input_ids: { type: 'int64', dims: ['batch', 'sequence'] },
        attention_mask: { type: 'int64', dims: ['batch', 'sequence'] },
      },
      outputs: { text_embeds: { type: 'float32', dims: ['batch', DIM] } },
    })
    await session.close()
  })

  test('refuses a file that is no ONNX graph', async () => {
    await expect(TowerSession.open(join(dir, 'good', 'tokenizer.json'))).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    })
  })

  test('answers a wrong feed with a fault and goes on', async () => {
    const session = await TowerSession.open(join(dir, 'good', 'image.onnx'), { threads: 1 })
    await expect(session.run([feed(1, 1, 'int32')], 'image_embeds')).rejects.toMatchObject({
      code: 'MODEL_FAILED',
    })
    expect((await session.run([feed(1)], 'image_embeds')).dims).toEqual([1, DIM])
    await session.close()
  })

  test('finishes what it was given before it closes, and refuses afterwards', async () => {
    const session = await TowerSession.open(join(dir, 'good', 'image.onnx'), { threads: 1 })
    const runs = [1, 2, 3].map(batch => session.run([feed(batch)], 'image_embeds'))
    await session.close()
    expect((await Promise.all(runs)).map(({ dims }) => dims[0])).toEqual([1, 2, 3])
    await expect(session.run([feed(1)], 'image_embeds')).rejects.toMatchObject({ code: 'MODEL_FAILED' })
    await session.close()
  })
})

const parity = dataPath('parity', 'arch', 'reference.json')
describe.skipIf(parity === undefined)('a CLIP of the original architecture, against PyTorch', () => {
  const folder = join(parity ?? '', '..')
  const reference: {
    images: { rgb: string; embed: number[] }[]
    texts: { ids: number[]; embed: number[] }[]
  } = parity === undefined ? { images: [], texts: [] } : JSON.parse(readFileSync(parity, 'utf8'))
  // Of unit length, so 1e-5 is some 200 times less than one component.
  const near = (found: readonly unknown[], wanted: readonly { embed: number[] }[]) => {
    expect(found).toHaveLength(wanted.length)
    for (const [i, { embed }] of wanted.entries()) {
      const unit = l2Normalize(Float32Array.from(embed))
      const vector = found[i] as Float32Array
      expect(Math.max(...unit.map((value, d) => Math.abs(value - vector[d]!)))).toBeLessThan(1e-5)
    }
  }

  test('image tower', async () => {
    const image = {
      input: 'pixel_values',
      size: 224,
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
    } as ModelManifest['image']
    const tower = new Tower(
      { path: join(folder, 'image.onnx'), dim: 512, inputs: ['pixel_values'], output: 'image_embeds' },
      {},
    )
    const pixels = await Promise.all(reference.images.map(({ rgb }) => readFile(join(folder, rgb))))
    near(await imageRunner(tower, image)(pixels), reference.images)
    await tower.close()
  })

  test('text tower', async () => {
    const text = {
      inputIds: 'input_ids',
      contextLength: 77,
      padTo: 'contextLength',
      padId: 0,
    } as ModelManifest['text']
    const tower = new Tower(
      { path: join(folder, 'text.onnx'), dim: 512, inputs: ['input_ids'], output: 'text_embeds' },
      {},
    )
    const session = await TowerSession.open(join(folder, 'text.onnx'))
    const idType = session.info.inputs.input_ids!.type as 'int64' | 'int32'
    await session.close()
    near(await textRunner(tower, { ...text, idType })(reference.texts.map(({ ids }) => ids)), reference.texts)
    await tower.close()
  })
})
