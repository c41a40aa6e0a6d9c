import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadModel } from '@sightline/core/clip/model.js'
import { verifyModel } from '@sightline/models/inspect/verify.js'
import { pullModel } from '@sightline/models/pull/pull.js'
import { Registry } from '@sightline/models/registry/registry.js'
import { type ImportRequest, importModel } from '@sightline/models/store/import.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  bothOnnx,
  DIM,
  type Files,
  imageOnnx,
  pinned,
  textOnnx,
  tinyEntry,
  tinyFiles,
} from './tiny-models.ts'

const MINI = fileURLToPath(new URL('../../../../models/quantized/sightline-mini/', import.meta.url))

let dir: string
let tokenizer: Files

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-import-'))
  tokenizer = {
    'tokenizer.json': await readFile(join(MINI, 'tokenizer.json')),
    'tokenizer_config.json': await readFile(join(MINI, 'tokenizer_config.json')),
  }
})

afterEach(() => rm(dir, { recursive: true, force: true }))

async function folder(content: Files): Promise<string> {
  const at = await mkdtemp(join(dir, 'export-'))
  for (const [path, bytes] of Object.entries(content)) {
    await mkdir(dirname(join(at, path)), { recursive: true })
    await writeFile(join(at, path), bytes)
  }
  return at
}

const layout = () => new StoreLayout(join(dir, 'store'))

async function take(content: Files, more: Partial<ImportRequest> = {}) {
  return importModel({ dir: await folder(content), name: 'own', layout: layout(), reserveBytes: 0, ...more })
}

async function vectorsOf(modelDir: string) {
  const model = await loadModel({ dir: modelDir, threads: 1 })
  try {
    const data = Uint8Array.from({ length: 40 * 40 * 3 }, (_, i) => (i * 37) % 256)
    const [image] = await model.encodeImages([{ data, width: 40, height: 40 }])
    const [text] = await model.encodeTexts(['a red bicycle'])
    return { image: image!, text: text! }
  } finally {
    await model.close()
  }
}

describe('import', () => {
  it("takes Optimum's layout, and core runs it", async () => {
    const preprocessor = {
      do_center_crop: true,
      crop_size: { height: 32, width: 32 },
      size: { shortest_edge: 32 },
      image_mean: [0.1, 0.2, 0.3],
      image_std: [0.4, 0.5, 0.6],
    }
    const result = await take({
      'onnx/vision_model.onnx': imageOnnx(),
      'onnx/text_model.onnx': textOnnx(),
      'preprocessor_config.json': Buffer.from(JSON.stringify(preprocessor)),
      ...tokenizer,
    })
    expect(result.manifest).toMatchObject({
      name: 'own',
      dim: DIM,
      image: { size: 32, resize: 'crop', mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6], precision: 'fp32' },
      text: { padTo: 'longest', clean: 'none', padId: 0 },
    })
    expect(result.assumed.map(line => line.split(' ')[0])).toEqual(['logit', 'licence'])
    expect(await verifyModel(result.dir)).toMatchObject({ ok: true })
    const { image, text } = await vectorsOf(result.dir)
    expect(Math.hypot(...image)).toBeCloseTo(1, 5)
    expect(Math.hypot(...text)).toBeCloseTo(1, 5)
  })

  it("takes open_clip's layout", async () => {
    const config = { size: [48, 48], mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], resize_mode: 'squash' }
    const result = await take({
      'visual/model.onnx': imageOnnx(),
      'visual/preprocess_cfg.json': Buffer.from(JSON.stringify(config)),
      'textual/model.onnx': textOnnx(),
      'textual/tokenizer.json': tokenizer['tokenizer.json']!,
      'textual/tokenizer_config.json': tokenizer['tokenizer_config.json']!,
    })
    expect(result.manifest.image).toMatchObject({ size: 48, resize: 'squash', mean: [0.5, 0.5, 0.5] })
  })

  it('cuts one file with both towers in two, with the vectors of separate towers', async () => {
    const options = { size: 32, contextLength: 16 }
    const one = await take({ 'onnx/model.onnx': bothOnnx(5), ...tokenizer }, options)
    expect(one.manifest.image.file.path).toBe('model/model.image.onnx')
    expect(one.manifest.text.file.path).toBe('model/model.text.onnx')
    expect(existsSync(join(one.dir, 'model/model.onnx'))).toBe(false)
    const two = await take(
      { 'vision_model.onnx': imageOnnx(5), 'text_model.onnx': textOnnx(5), ...tokenizer },
      { ...options, name: 'two' },
    )
    const [whole, apart] = [await vectorsOf(one.dir), await vectorsOf(two.dir)]
    expect(whole.image).toEqual(apart.image)
    expect(whole.text).toEqual(apart.text)
  })

  it('pulls one file with both towers, and finds the cut model there again', async () => {
    const files = { ...tinyFiles(), ...tokenizer, 'onnx/model_int8.onnx': bothOnnx() }
    const entry = tinyEntry(path => pinned(path, files))
    entry.files.image = entry.files.text = pinned('onnx/model_int8.onnx', files)
    const request = {
      name: 'tiny',
      registry: new Registry([entry]),
      layout: layout(),
      offline: await folder(files),
      repin: false,
      reserveBytes: 0,
    }
    const first = await pullModel(request)
    expect(first.manifest.text.file.path).toBe('onnx/model_int8.text.onnx')
    expect(await verifyModel(first.dir)).toMatchObject({ ok: true })
    expect(await pullModel(request)).toMatchObject({ changed: false, fingerprint: first.fingerprint })
  })

  it('takes a model directory as it is, under a name of its own', async () => {
    const copy = await mkdtemp(join(dir, 'mini-'))
    await cp(MINI, copy, { recursive: true })
    const result = await importModel({ dir: copy, name: 'mini-two', layout: layout(), reserveBytes: 0 })
    expect(result.manifest.name).toBe('mini-two')
    expect(await verifyModel(result.dir)).toMatchObject({ ok: true })
    await writeFile(join(copy, 'tokenizer.json'), '{}')
    await expect(
      importModel({ dir: copy, name: 'mini-three', layout: layout(), reserveBytes: 0 }),
    ).rejects.toMatchObject({ code: 'MODEL_FILE_CORRUPT' })
    expect(existsSync(layout().modelDir('mini-three'))).toBe(false)
  })

  it('asks for what it cannot tell', async () => {
    const towers = { 'vision_model.onnx': imageOnnx(), 'text_model.onnx': textOnnx() }
    await expect(take({ ...towers })).rejects.toMatchObject({
      message: expect.stringContaining('--tokenizer'),
    })
    await expect(
      take({ ...towers, ...tokenizer, 'vision_model_int8.onnx': imageOnnx(2) }),
    ).rejects.toMatchObject({
      message: expect.stringContaining('--image'),
    })
    await expect(
      take({ ...towers, ...tokenizer, 'tokenizer_config.json': Buffer.from('{}') }),
    ).rejects.toMatchObject({ message: expect.stringContaining('--context-length') })
    await expect(take({ ...towers, ...tokenizer }, { image: 'nothing.onnx' })).rejects.toMatchObject({
      code: 'MODEL_MISSING',
    })
    await expect(
      take({ ...towers, ...tokenizer, 'vision_model.onnx': Buffer.from('no') }),
    ).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    })
    await expect(take({ ...towers, ...tokenizer }, { name: '../evil' })).rejects.toMatchObject({
      code: 'MODEL_UNKNOWN',
    })
  })
})
