import { chmod, mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readManifest, verifyFiles } from '@sightline/core/clip/model-files.js'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { entry, writeTinyModel } from './tiny-model.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-files-'))
})
afterEach(async () => {
  await chmod(dir, 0o755)
  await rm(dir, { recursive: true })
})

const tiny = { dim: 8, imageWeights: new Float32Array(24).fill(1) }

describe('the manifest', () => {
  test('is read', async () => {
    await writeTinyModel(dir, tiny)
    expect(await readManifest(dir)).toMatchObject({ name: 'tiny', dim: 8 })
  })

  test('absent, or not JSON', async () => {
    await expect(readManifest(dir)).rejects.toMatchObject({ code: 'MODEL_MISSING' })
    await writeFile(join(dir, 'manifest.json'), '{"schema":')
    await expect(readManifest(dir)).rejects.toMatchObject({ code: 'MODEL_INVALID' })
  })

  test('names every fault by its path', async () => {
    await writeTinyModel(dir, {
      ...tiny,
      manifest: { dim: 0, colour: 'red' },
      image: { size: 'big', std: [1, 0, 1] },
      text: { clean: 'soap', tokenizer: { ...entry('sub/../../secret', Buffer.from('x')) } },
    })
    const error = await readManifest(dir).catch(error => error)
    expect(error.code).toBe('MODEL_INVALID')
    for (const path of ['dim', 'colour', 'image.size', 'image.std.1', 'text.clean', 'text.tokenizer.path']) {
      expect(error.message).toMatch(new RegExp(`^${path}: `, 'm'))
    }
    expect(error.details.faults).toHaveLength(6)
  })
})

describe('the check of the files', () => {
  const bytes = Buffer.from('weights')
  const file = entry('a.onnx', bytes)
  const cache = () => join(dir, '.verified.json')

  test('passes and is remembered', async () => {
    await writeFile(join(dir, 'a.onnx'), bytes)
    await verifyFiles(dir, [file])
    expect(await readFile(cache(), 'utf8')).toContain(file.sha256)
    const before = (await stat(cache())).mtimeMs
    await verifyFiles(dir, [file])
    expect((await stat(cache())).mtimeMs).toBe(before)
  })

  test('is repeated when the file has changed since', async () => {
    await writeFile(join(dir, 'a.onnx'), bytes)
    await verifyFiles(dir, [file])
    await writeFile(join(dir, 'a.onnx'), 'wEights')
    await utimes(join(dir, 'a.onnx'), new Date(), new Date(Date.now() + 5000))
    await expect(verifyFiles(dir, [file])).rejects.toMatchObject({
      code: 'MODEL_FILE_CORRUPT',
      details: { expected: file.sha256 },
    })
  })

  test('always means always', async () => {
    await writeFile(join(dir, 'a.onnx'), bytes)
    await verifyFiles(dir, [file])
    const { atime, mtime } = await stat(join(dir, 'a.onnx'))
    await writeFile(join(dir, 'a.onnx'), 'wEights')
    await utimes(join(dir, 'a.onnx'), atime, mtime)
    await expect(verifyFiles(dir, [file], { verify: 'always' })).rejects.toMatchObject({
      code: 'MODEL_FILE_CORRUPT',
    })
  })

  test('tells a missing file from one of the wrong size', async () => {
    await expect(verifyFiles(dir, [file])).rejects.toMatchObject({ code: 'MODEL_MISSING' })
    await writeFile(join(dir, 'a.onnx'), 'weight')
    await expect(verifyFiles(dir, [file])).rejects.toMatchObject({
      code: 'MODEL_FILE_CORRUPT',
      details: { foundBytes: 6 },
    })
  })

  test('is remembered elsewhere when it cannot be beside the model', async () => {
    await writeFile(join(dir, 'a.onnx'), bytes)
    // A folder in the way stops even the superuser from writing the list.
    await mkdir(join(dir, '.verified.json', 'in-the-way'), { recursive: true })
    const cacheDir = join(dir, 'cache')
    await verifyFiles(dir, [file], { cacheDir })
    expect(await readFile(join(cacheDir, '.verified.json'), 'utf8')).toContain(file.sha256)
  })

  test('survives a damaged list', async () => {
    await writeFile(join(dir, 'a.onnx'), bytes)
    await writeFile(cache(), '[1,')
    await verifyFiles(dir, [file])
    expect(JSON.parse(await readFile(cache(), 'utf8'))).toHaveLength(1)
  })
})
