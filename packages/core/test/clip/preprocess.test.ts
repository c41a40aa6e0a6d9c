import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeImage } from '@sightline/core/clip/image-decode.js'
import { preprocessImage, resizeWindow, toTensor } from '@sightline/core/clip/preprocess.js'
import { resampleBicubic } from '@sightline/core/clip/resample.js'
import { thumbnail } from '@sightline/core/clip/thumbnail.js'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { dataPath, meanAbs } from './test-data.ts'

const CLIP = { size: 224, resize: 'crop' } as const

function gradient(width: number, height: number): Buffer {
  const data = Buffer.alloc(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const wave = 60 * Math.sin(x / 9) * Math.cos(y / 7)
      data.set([(x / width) * 255, (y / height) * 255, 128 + wave], (y * width + x) * 3)
    }
  }
  return data
}

describe('the model square', () => {
  test.each([
    [500, 332, 337, 224, 56, 0],
    [613, 920, 224, 336, 0, 56],
    [700, 467, 335, 224, 56, 0],
    [32, 32, 224, 224, 0, 0],
    // 229 - 224 = 5: the half goes to the even side, as Python rounds.
    [229, 224, 229, 224, 2, 0],
    [227, 224, 227, 224, 2, 0],
  ])('of %ix%i', (width, height, resizedWidth, resizedHeight, left, top) => {
    expect(resizeWindow({ width, height }, CLIP)).toEqual({
      width: resizedWidth,
      height: resizedHeight,
      left,
      top,
      columns: 224,
      rows: 224,
    })
  })

  test('takes in the whole picture when squashed', async () => {
    const data = Buffer.alloc(60 * 20 * 3)
    for (let i = 0; i < 60 * 20; i++) data[i * 3] = i % 60 < 30 ? 255 : 0
    const { pixels } = await preprocessImage({ data, width: 60, height: 20 }, { size: 16, resize: 'squash' })
    expect(pixels.length).toBe(16 * 16 * 3)
    expect([pixels[0], pixels[15 * 3]]).toEqual([255, 0])
  })

  test('of a file and of its decoded pixels are the same', async () => {
    const data = gradient(300, 200)
    const png = await sharp(data, { raw: { width: 300, height: 200, channels: 3 } })
      .png()
      .toBuffer()
    const fromFile = await preprocessImage(png, CLIP)
    const fromFrame = await preprocessImage({ data, width: 300, height: 200 }, CLIP)
    expect(fromFile.pixels).toEqual(fromFrame.pixels)
  })

  // One pass, one pass with blocks, by way of a rough size, and that with libjpeg's help.
  test.each([
    [200, 100, 'crop', 0.3],
    [200, 150, 'squash', 0.3],
    [274, 154, 'squash', 0.8],
    [412, 231, 'squash', 0.5],
    [300, 280, 'crop', 0.5],
    [900, 620, 'crop', 0.9],
    [900, 620, 'squash', 0.9],
  ] as const)('of a %ix%i JPEG is near the exact filter (%s)', async (width, height, resize, limit) => {
    const jpeg = await sharp(gradient(width, height), { raw: { width, height, channels: 3 } })
      .jpeg()
      .toBuffer()
    const spec = { size: 48, resize }
    const frame = await decodeImage(jpeg)
    const exact = resampleBicubic(frame, resizeWindow(frame, spec))
    for (const input of [jpeg, frame]) {
      const { pixels } = await preprocessImage(input, spec)
      expect(meanAbs(pixels, exact)).toBeLessThanOrEqual(limit)
    }
  })

  test.each([
    [20, 30, 'crop'],
    [20, 30, 'squash'],
    [48, 48, 'crop'],
    [48, 31, 'squash'],
  ] as const)('of %ix%i, enlarged, is exactly the filter (%s)', async (width, height, resize) => {
    const frame = { data: gradient(width, height), width, height }
    const exact = resampleBicubic(frame, resizeWindow(frame, { size: 48, resize }))
    const { pixels } = await preprocessImage(frame, { size: 48, resize })
    expect(meanAbs(pixels, exact)).toBe(0)
  })

  test('that is enlarged on one side and shrunk on the other is near the exact filter', async () => {
    const frame = { data: gradient(30, 400), width: 30, height: 400 }
    const spec = { size: 48, resize: 'squash' } as const
    const { pixels } = await preprocessImage(frame, spec)
    expect(meanAbs(pixels, resampleBicubic(frame, resizeWindow(frame, spec)))).toBeLessThanOrEqual(0.5)
  })

  test('leaves the event loop free while a frame shrinks', async () => {
    let turns = 0
    let counting = true
    const count = () => {
      turns++
      if (counting) setImmediate(count)
    }
    setImmediate(count)
    await preprocessImage({ data: gradient(1920, 1080), width: 1920, height: 1080 }, CLIP)
    counting = false
    expect(turns).toBeGreaterThan(20)
  })

  test('bears extreme shapes', async () => {
    for (const [width, height] of [
      [4000, 1],
      [1, 4000],
    ] as const) {
      const { pixels } = await preprocessImage(
        { data: new Uint8Array(width * height * 3).fill(9), width, height },
        CLIP,
      )
      expect(new Set(pixels)).toEqual(new Set([9]))
    }
  })
})

test('the tensor has planes of normalised values', () => {
  const spec = { size: 2, mean: [0.5, 0.25, 0], std: [0.5, 0.25, 1] }
  const pixels = Uint8Array.from([0, 0, 0, 255, 255, 255, 51, 51, 51, 102, 102, 102])
  const wanted = [-1, 1, -0.6, -0.2, -1, 3, -0.2, 0.6, 0, 1, 0.2, 0.4]
  for (const [i, value] of toTensor(pixels, spec).entries()) expect(value).toBeCloseTo(wanted[i]!, 6)
})

describe('thumbnails', () => {
  test('are small, upright and without metadata', async () => {
    const bytes = await sharp(gradient(600, 300), { raw: { width: 600, height: 300, channels: 3 } })
      .jpeg()
      .withExif({ IFD0: { Copyright: 'somebody' } })
      .withMetadata({ orientation: 6 })
      .toBuffer()
    const small = await thumbnail(bytes)
    const { format, width, height, exif, orientation } = await sharp(small).metadata()
    expect({ format, width, height, exif, orientation }).toEqual({
      format: 'jpeg',
      width: 128,
      height: 256,
      exif: undefined,
      orientation: undefined,
    })
    expect(small.length).toBeLessThan(20_000)
  })

  test('are made of raw frames too, and never enlarge', async () => {
    const { width, height } = await sharp(
      await thumbnail({ data: gradient(40, 30), width: 40, height: 30 }),
    ).metadata()
    expect([width, height]).toEqual([40, 30])
    const small = await sharp(
      await thumbnail({ data: gradient(400, 300), width: 400, height: 300 }, 100),
    ).metadata()
    expect([small.width, small.height]).toEqual([100, 75])
  })

  test('refuse what is no picture', async () => {
    await expect(thumbnail(Buffer.from('no'))).rejects.toMatchObject({ code: 'IMAGE_INVALID' })
  })
})

const parity = dataPath('parity', 'preprocess')
describe.skipIf(parity === undefined)('against Pillow and torchvision', () => {
  const folder = parity ?? ''
  const cases: { id: string; source: string; exif_orientation: number | null; rgb: string }[] =
    parity === undefined
      ? []
      : JSON.parse(readFileSync(join(folder, 'public/manifest.json'), 'utf8')).items.map(
          (item: Record<string, { file: string }>) => {
            const variant = [item.exif_transposed, item.rgb_first, item.openai].find(
              found => typeof found === 'object',
            )
            return { ...item, rgb: variant!.file }
          },
        )
  test.each(cases)('$id: the exact filter is bit for bit the same, and what is used is near', async item => {
    const source = readFileSync(join(folder, item.source))
    const wanted = readFileSync(join(folder, item.rgb))
    const frame = await decodeImage(source)
    expect(meanAbs(resampleBicubic(frame, resizeWindow(frame, CLIP)), wanted)).toBe(0)
    const { pixels } = await preprocessImage(source, CLIP)
    expect(meanAbs(pixels, wanted)).toBeLessThanOrEqual(0.3)
  })
})
