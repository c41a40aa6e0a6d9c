import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { openModel } from '@sightline/core/clip/open-model.js'
import { verifyModel } from '@sightline/models/inspect/verify.js'
import { pullModel } from '@sightline/models/pull/pull.js'
import { silent } from '@sightline/models/quantize/progress.js'
import { quantiseFile } from '@sightline/models/quantize/quantize.js'
import { loadRegistry, Registry } from '@sightline/models/registry/registry.js'
import type { RegistryEntry } from '@sightline/models/registry/schema.js'
import { importModel } from '@sightline/models/store/import.js'
import { modelStoreFiles } from '@sightline/models/store/model-store.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PullSetup } from '../pull/pull-setup.ts'
import { type Files, imageOnnx, pinned, tinyEntry, tinyFiles } from './tiny-models.ts'

const DYNAMIC = 'onnx/vision_model_int8.onnx'
let dir: string
let files: Files

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-store-variants-'))
  const [input, output] = [join(dir, 'float.onnx'), join(dir, 'int8.onnx')]
  await writeFile(input, imageOnnx())
  await quantiseFile(
    {
      input,
      output,
      mode: 'dynamic',
      target: 'cpu',
      calibration: 'minmax',
      percentile: 100,
      minCosine: null,
      reduceRange: false,
      conv: false,
      keepFloat: [],
      samples: {},
      sampleCount: 1,
      searchMs: 1000,
    },
    silent,
  )
  files = { ...tinyFiles(), [DYNAMIC]: await readFile(output) }
})
afterAll(() => rm(dir, { recursive: true, force: true }))

function entry(variants: RegistryEntry['files']['variants']): RegistryEntry {
  const plain = tinyEntry(path => pinned(path, files))
  return { ...plain, files: { ...plain.files, ...(variants ? { variants } : {}) } }
}

async function exported(): Promise<string> {
  const at = await mkdtemp(join(dir, 'export-'))
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(at, path)), { recursive: true })
    await writeFile(join(at, path), bytes)
  }
  return at
}

describe('variants of the image tower', () => {
  it('are pulled, listed for devices that pull from this store, and pulled by them', async () => {
    const setup = await PullSetup.create()
    try {
      setup.files[DYNAMIC] = files[DYNAMIC]!
      const { dir: at, manifest, changed } = await setup.pull(entry({ dynamic: pinned(DYNAMIC, files) }))
      expect(changed).toBe(true)
      expect(manifest.image).toMatchObject({
        precision: 'fp32',
        file: { path: 'onnx/vision_model.onnx' },
        variants: { dynamic: { file: pinned(DYNAMIC, files), maxBatch: 1 } },
      })
      expect((await verifyModel(at)).files.map(({ path }) => path)).toContain(DYNAMIC)
      const { models } = await modelStoreFiles(setup.layout.root).list()
      expect(models[0]!.files.map(({ path }) => path)).toContain(DYNAMIC)

      const device = new StoreLayout(join(dir, 'device'))
      const second = await pullModel({
        name: 'tiny',
        registry: new Registry([]),
        layout: device,
        offline: setup.layout.root,
        repin: false,
        reserveBytes: 0,
      })
      expect(second.manifest).toEqual(manifest)
      expect((await verifyModel(second.dir)).ok).toBe(true)
    } finally {
      await setup.destroy()
    }
  })

  it('a file that is not what its name says is refused', async () => {
    const setup = await PullSetup.create()
    try {
      setup.files[DYNAMIC] = files[DYNAMIC]!
      await expect(setup.pull(entry({ qdq: pinned(DYNAMIC, files) }))).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringMatching(/is listed as qdq, but it is dynamic/),
      })
    } finally {
      await setup.destroy()
    }
  })

  it('need an image tower in a file of its own', async () => {
    const one = entry({ dynamic: pinned(DYNAMIC, files) })
    const registry = join(dir, 'registry.json')
    const both = { ...one, files: { ...one.files, text: one.files.image } }
    await writeFile(registry, JSON.stringify({ schema: 1, models: [both] }))
    await expect(loadRegistry([registry])).rejects.toMatchObject({
      code: 'MODEL_REGISTRY_INVALID',
      message: expect.stringMatching(/image tower needs a file of its own/),
    })
  })

  it('are imported beside a model of one’s own, and chosen on this machine', async () => {
    const layout = new StoreLayout(join(dir, 'own-store'))
    const request = { name: 'own', layout, reserveBytes: 0, contextLength: 16 }
    const variants = { dynamic: DYNAMIC }
    const imported = await importModel({ ...request, dir: await exported(), variants })
    const { image } = imported.manifest
    expect(image.file.path).toBe('image/vision_model.onnx')
    expect(image.variants).toEqual({
      dynamic: {
        file: { ...pinned(DYNAMIC, files), path: 'image/dynamic/vision_model_int8.onnx' },
        maxBatch: 1,
      },
    })
    const { model, choice } = await openModel({
      dir: imported.dir,
      provider: 'cpu',
      towers: ['image'],
      threads: 1,
      cacheDir: join(dir, 'cache'),
    })
    await model.close()
    expect(choice.ratings).toHaveLength(2)
    for (const { cosine } of choice.ratings) expect(cosine).toBeGreaterThan(0.99)
    expect(model.fingerprint).toBe(imported.fingerprint)
  })

  it('are added to a model directory', async () => {
    const layout = new StoreLayout(join(dir, 'added-store'))
    const from = await exported()
    await rm(join(from, DYNAMIC))
    const plain = await importModel({ name: 'plain', layout, reserveBytes: 0, contextLength: 16, dir: from })
    const int8 = join(dir, 'int8.onnx')
    const variants = { dynamic: int8 }
    const more = await importModel({ name: 'more', layout, reserveBytes: 0, dir: plain.dir, variants })
    expect(Object.keys((await readManifest(more.dir)).image.variants!)).toEqual(['dynamic'])
    expect((await verifyModel(more.dir)).ok).toBe(true)
    expect(more.fingerprint.split(':')[1]).toBe(plain.fingerprint.split(':')[1])
  })
})
