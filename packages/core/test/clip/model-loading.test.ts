import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadModel } from '@sightline/core/clip/model.js'
import { describe, expect, test } from 'vitest'
import { colourModel, DIM, flat } from './colour-model.ts'
import { writeTinyModel } from './tiny-model.ts'

const tiny = colourModel()

describe('loading', () => {
  test('a directory without a model', async () => {
    await expect(loadModel({ dir: join(tiny.root, 'nowhere') })).rejects.toMatchObject({
      code: 'MODEL_MISSING',
    })
  })

  test('a file that is not what the manifest says', async () => {
    const dir = join(tiny.root, 'damaged')
    await writeTinyModel(dir, { dim: DIM, imageWeights: new Float32Array(24) })
    const bytes = await readFile(join(dir, 'image.onnx'))
    bytes[bytes.length - 1]! ^= 1
    await writeFile(join(dir, 'image.onnx'), bytes)
    await expect(loadModel({ dir })).rejects.toMatchObject({ code: 'MODEL_FILE_CORRUPT' })
  })

  test('a manifest with the wrong dim', async () => {
    const dir = join(tiny.root, 'wrong-dim')
    await writeTinyModel(dir, { dim: DIM, imageWeights: new Float32Array(24), manifest: { dim: 16 } })
    const wrong = await loadModel({ dir })
    await expect(wrong.warmUp()).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await wrong.close()
  })

  test('one tower needs only its own files', async () => {
    const dir = join(tiny.root, 'image-only')
    await writeTinyModel(dir, { dim: DIM, imageWeights: new Float32Array(24).fill(1) })
    await rm(join(dir, 'text.onnx'))
    await rm(join(dir, 'tokenizer.json'))
    await expect(loadModel({ dir })).rejects.toMatchObject({ code: 'MODEL_MISSING' })
    const half = await loadModel({ dir, towers: ['image'], threads: 1 })
    expect(await half.encodeImages([await flat('#ffffff')])).toHaveLength(1)
    await expect(half.encodeTexts(['red'])).rejects.toMatchObject({ code: 'MODEL_MISSING' })
    await half.close()
  })

  test('closing is final and may be repeated', async () => {
    const closing = await loadModel({ dir: join(tiny.root, 'tiny'), threads: 1 })
    const last = closing.encodeTexts(['red'])
    await new Promise(resolve => setImmediate(resolve))
    await closing.close()
    expect(await last).toHaveLength(1)
    await closing.close()
    await expect(closing.encodeImages([await flat('#ff0000')])).rejects.toMatchObject({
      code: 'MODEL_FAILED',
    })
  })
})
