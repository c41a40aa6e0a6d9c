import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { filesOfEntry, loadRegistry, sourceId } from '@sightline/models/registry/registry.js'
import type { RegistryEntry } from '@sightline/models/registry/schema.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tinyEntry, unpinned } from '../store/tiny-models.ts'

let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-registry-'))
})

afterEach(() => rm(dir, { recursive: true, force: true }))

async function fileWith(...models: unknown[]): Promise<string> {
  const path = join(dir, 'models.json')
  await writeFile(path, JSON.stringify({ schema: 1, models }))
  return path
}

describe('the registry', () => {
  it('has an entry for every family, and pins what is known', async () => {
    const registry = await loadRegistry()
    const b32 = registry.get('clip-vit-b32-int8')
    expect(b32.files.image).toEqual({
      path: 'onnx/vision_model_quantized.onnx',
      bytes: 89_117_001,
      sha256: '583fd1110a514667812fee7d684952aaf82a99b959760c8d7dca7e0ab9839299',
    })
    expect(b32.files.text).toMatchObject({ bytes: 64_504_507 })
    expect(sourceId(b32.source)).toBe(
      'huggingface:Xenova/clip-vit-base-patch32@d15189d7028b43f1d3e65039190477f6af591c2a',
    )
    const tiny = registry.get('tinyclip-8m-int8')
    expect(tiny.files.image).toEqual(tiny.files.text)
    expect(tiny.files.image).toMatchObject({ bytes: 24_281_512 })
    const names = registry.entries().map(({ name }) => name)
    for (const family of [/b16/, /l14/, /h14-laion2b/, /rn50/, /siglip2/, /chinese/, /xlm/]) {
      expect(
        names.some(name => family.test(name)),
        String(family),
      ).toBe(true)
    }
  })

  it('gives every published figure a source, and every pinned file a size', async () => {
    for (const entry of (await loadRegistry()).entries()) {
      if (entry.zeroShot) expect(entry.zeroShot.source.length).toBeGreaterThan(10)
      for (const { sha256, bytes } of filesOfEntry(entry)) expect(sha256 === 'unpinned').toBe(bytes === null)
    }
  })

  it('lists small files first and shared files once', async () => {
    const entry = (await loadRegistry()).get('tinyclip-8m-int8')
    expect(filesOfEntry(entry).map(({ path }) => path)).toEqual([
      'tokenizer_config.json',
      'tokenizer.json',
      'onnx/model_int8.onnx',
    ])
  })

  it('is extended and overruled by files of the user', async () => {
    const own = tinyEntry(unpinned)
    const overruled = { ...tinyEntry(unpinned), name: 'clip-vit-b32-int8' }
    const registry = await loadRegistry([await fileWith(own, overruled)])
    expect(registry.get('tiny')).toEqual(own)
    expect(registry.get('clip-vit-b32-int8').title).toBe('Tiny test model')
    expect(() => registry.get('nothing')).toThrow(expect.objectContaining({ code: 'MODEL_UNKNOWN' }))
  })

  it('refuses paths that could leave the model directory', async () => {
    for (const path of [
      '../x',
      'a/../../x',
      '/etc/passwd',
      'a//b',
      '.hidden',
      'a/.git/x',
      'a\\b',
      'a/./b',
      'x/',
      'a b',
      '',
    ]) {
      const entry = tinyEntry(unpinned)
      entry.files.image = unpinned(path)
      await expect(loadRegistry([await fileWith(entry)]), path).rejects.toMatchObject({
        code: 'MODEL_REGISTRY_INVALID',
        message: expect.stringContaining('models.0.files.image.path'),
      })
    }
    for (const name of ['../x', '.pins', 'A', 'a/b', '']) {
      await expect(loadRegistry([await fileWith({ ...tinyEntry(unpinned), name })])).rejects.toMatchObject({
        code: 'MODEL_REGISTRY_INVALID',
      })
    }
  })

  it('refuses sources that are not https', async () => {
    for (const base of ['http://models.example/m', 'file:///etc', 'https://models.example/m?token=1']) {
      const source = { kind: 'https', base } as RegistryEntry['source']
      await expect(loadRegistry([await fileWith(tinyEntry(unpinned, { source }))])).rejects.toMatchObject({
        code: 'MODEL_REGISTRY_INVALID',
      })
    }
  })

  it('lists every fault', async () => {
    const entry = { ...tinyEntry(unpinned), dim: 4, surprise: true }
    await expect(loadRegistry([await fileWith(entry)])).rejects.toMatchObject({
      message: expect.stringMatching(
        /models\.0\.surprise[\s\S]*models\.0\.dim|models\.0\.dim[\s\S]*models\.0\.surprise/,
      ),
    })
    await expect(
      loadRegistry([await fileWith(tinyEntry(unpinned), tinyEntry(unpinned))]),
    ).rejects.toMatchObject({
      message: expect.stringContaining('twice'),
    })
    const twoHashes = tinyEntry(unpinned)
    twoHashes.files.text = { path: twoHashes.files.image.path, bytes: 1, sha256: 'a'.repeat(64) }
    await expect(loadRegistry([await fileWith(twoHashes)])).rejects.toMatchObject({
      message: expect.stringContaining('two sizes or hashes'),
    })
    await expect(loadRegistry([join(dir, 'missing.json')])).rejects.toMatchObject({
      code: 'MODEL_REGISTRY_INVALID',
    })
  })
})
