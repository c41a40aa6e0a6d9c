import { randomBytes } from 'node:crypto'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32, deflateSync } from 'node:zlib'
import { type ClipModel, loadModel } from '@sightline/core/clip/model.js'
import { openModel } from '@sightline/core/clip/open-model.js'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { temporaryDir } from './temporary-dir.ts'
import { entry, writeTinyModel } from './tiny-model.ts'
import { tinyTower } from './tiny-towers.ts'

const DIM = 8
const imageWeights = Float32Array.from({ length: 3 * DIM }, (_, i) => Math.sin(1 + i))
const root = temporaryDir('sightline-bad-input-')
let count = 0

beforeAll(() => root.make())
afterAll(() => root.remove())

/** A whole, valid PNG of 16384 x 16384 pixels, 1 bit each: 268 megapixels in some 33 kB. */
function hugePng(): Buffer {
  const side = 16_384
  const header = Buffer.alloc(13)
  header.writeUInt32BE(side, 0)
  header.writeUInt32BE(side, 4)
  header.set([1, 0, 0, 0, 0], 8)
  const rows = deflateSync(Buffer.alloc(side * (1 + side / 8)))
  const chunk = (type: string, data: Buffer) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
    const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
    length.writeUInt32BE(data.length)
    check.writeUInt32BE(crc32(body))
    return Buffer.concat([length, body, check])
  }
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

const good = () =>
  sharp({ create: { width: 32, height: 24, channels: 3, background: '#c04020' } })
    .jpeg()
    .toBuffer()
const halfOf = (bytes: Buffer) => bytes.subarray(0, bytes.length / 2)
const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'

const PICTURES: readonly [string, string, () => Uint8Array | Promise<Uint8Array>][] = [
  ['0 bytes', 'IMAGE_INVALID', () => new Uint8Array(0)],
  ['text', 'IMAGE_INVALID', () => Buffer.from('not a picture')],
  ['noise', 'IMAGE_INVALID', () => randomBytes(4096)],
  ['a truncated JPEG', 'IMAGE_INVALID', async () => halfOf(await good())],
  ['an SVG', 'IMAGE_INVALID', () => Buffer.from(svg)],
  ['a 256-megapixel PNG', 'IMAGE_TOO_LARGE', hugePng],
]

describe('bad pictures', () => {
  let model: ClipModel
  beforeAll(async () => {
    await writeTinyModel(join(root.path, 'good'), { dim: DIM, imageWeights })
    model = await loadModel({ dir: join(root.path, 'good'), threads: 1 })
  })
  afterAll(() => model.close())

  test.each(PICTURES)('%s: %s', async (_, code, make) => {
    await expect(model.encodeImages([await make()])).rejects.toMatchObject({ code })
  })

  test('all of them beside a good one cost it nothing', async () => {
    const pictures = await Promise.all(PICTURES.map(([, , make]) => make()))
    const rssBefore = process.memoryUsage.rss()
    const settled = await model.encodeImagesSettled([...pictures, await good()])
    const codes = settled.map(each => ('error' in each ? each.error.code : each.vector.length))
    expect(codes).toEqual([...PICTURES.map(([, code]) => code), DIM])
    // The large one was refused by its header: decoded it would have taken 800 MB.
    expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(300e6)
  })
})

/** A tiny model in which something is not as it should be. */
async function broken(change: object, imageOnnx?: Uint8Array): Promise<string> {
  const dir = join(root.path, `broken-${++count}`)
  await writeTinyModel(dir, { dim: DIM, imageWeights })
  if (imageOnnx !== undefined) {
    await writeFile(join(dir, 'image.onnx'), imageOnnx)
    change = {
      image: { file: entry('image.onnx', imageOnnx), ...(change as { image?: object }).image },
      ...change,
    }
  }
  const path = join(dir, 'manifest.json')
  const { image = {}, ...rest } = change as { image?: object }
  const manifest = JSON.parse(await readFile(path, 'utf8'))
  await writeFile(path, JSON.stringify({ ...manifest, ...rest, image: { ...manifest.image, ...image } }))
  return dir
}

describe('bad models', () => {
  test.each<[string, string, () => Promise<string>]>([
    ['a file that is no ONNX', 'MODEL_INVALID', () => broken({}, Buffer.from('hello, world'))],
    ['a picture in place of the weights', 'MODEL_INVALID', async () => broken({}, await good())],
    ['an empty ONNX file’s worth of bytes', 'MODEL_INVALID', () => broken({}, Buffer.alloc(64))],
    [
      'a truncated ONNX file',
      'MODEL_INVALID',
      async () => broken({}, tinyTower('qdq', imageWeights, DIM).subarray(0, 90)),
    ],
    [
      'the text tower in place of the image tower',
      'MODEL_INVALID',
      async () => {
        const from = await broken({})
        return broken({}, await readFile(join(from, 'text.onnx')))
      },
    ],
    ['another dim than the file’s', 'MODEL_INVALID', () => broken({ dim: 16 })],
    ['NaN', 'MODEL_OUTPUT_INVALID', () => broken({}, tinyTower('nan', imageWeights, DIM))],
    [
      'other bytes than the manifest says',
      'MODEL_FILE_CORRUPT',
      async () => {
        const dir = await broken({})
        await copyFile(join(dir, 'text.onnx'), join(dir, 'image.onnx'))
        return dir
      },
    ],
  ])('%s: %s', async (_, code, make) => {
    const dir = await make()
    await expect(openModel({ dir, provider: 'cpu', towers: ['image'], threads: 1 })).rejects.toMatchObject({
      code,
    })
  })

  test('the process goes on', async () => {
    const dir = await broken({})
    const { model } = await openModel({ dir, provider: 'cpu', towers: ['image'], threads: 1 })
    expect(await model.encodeImages([await good()])).toHaveLength(1)
    await model.close()
  })
})
