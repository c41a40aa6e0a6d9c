import { decodeImage, readImageHeader } from '@sightline/core/clip/image-decode.js'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'

const WIDTH = 40
const HEIGHT = 24

/** Left half red, right half blue, with a green top left corner to tell orientation by. */
function picture(): Sharp {
  const data = Buffer.alloc(WIDTH * HEIGHT * 3)
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const colour = x < 8 && y < 8 ? [0, 200, 0] : x < WIDTH / 2 ? [200, 0, 0] : [0, 0, 200]
      data.set(colour, (y * WIDTH + x) * 3)
    }
  }
  return sharp(data, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
}

function pixel(frame: { data: Uint8Array; width: number }, x: number, y: number): number[] {
  return [...frame.data.subarray((y * frame.width + x) * 3, (y * frame.width + x) * 3 + 3)]
}

function near(found: number[], wanted: number[], tolerance: number): void {
  for (const [c, value] of wanted.entries())
    expect(Math.abs(found[c]! - value)).toBeLessThanOrEqual(tolerance)
}

describe('decoding', () => {
  test.each([
    ['jpeg', () => picture().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer(), 12],
    [
      'progressive jpeg',
      () => picture().jpeg({ quality: 95, progressive: true, chromaSubsampling: '4:4:4' }).toBuffer(),
      12,
    ],
    ['png', () => picture().png().toBuffer(), 0],
    ['interlaced png', () => picture().png({ progressive: true }).toBuffer(), 0],
    ['palette png', () => picture().png({ palette: true, colours: 8 }).toBuffer(), 8],
    ['16-bit png', () => picture().toColourspace('rgb16').png().toBuffer(), 0],
    ['lossless webp', () => picture().webp({ lossless: true }).toBuffer(), 0],
    ['lossy webp', () => picture().webp({ quality: 95 }).toBuffer(), 25],
  ])('%s', async (_, encode, tolerance) => {
    const frame = await decodeImage(await encode())
    expect([frame.width, frame.height, frame.data.length]).toEqual([WIDTH, HEIGHT, WIDTH * HEIGHT * 3])
    near(pixel(frame, 3, 3), [0, 200, 0], tolerance)
    near(pixel(frame, 14, 16), [200, 0, 0], tolerance)
    near(pixel(frame, 34, 16), [0, 0, 200], tolerance)
  })

  test.each([1, 2, 3, 4, 5, 6, 7, 8])('honours EXIF orientation %i', async orientation => {
    // Stored so that undoing the orientation gives the picture: the inverse of EXIF 2.3, table 4.6.5.
    const inverse: Record<number, (image: Sharp) => Sharp> = {
      1: image => image,
      2: image => image.flop(),
      3: image => image.rotate(180),
      4: image => image.flip(),
      5: image => image.flop().rotate(270),
      6: image => image.rotate(270),
      7: image => image.flop().rotate(90),
      8: image => image.rotate(90),
    }
    const stored = await inverse[orientation]!(sharp(await picture().png().toBuffer()))
      .png()
      .toBuffer()
    const bytes = await sharp(stored)
      .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
      .withMetadata({ orientation })
      .toBuffer()
    const frame = await decodeImage(bytes)
    expect([frame.width, frame.height]).toEqual([WIDTH, HEIGHT])
    near(pixel(frame, 3, 3), [0, 200, 0], 15)
    near(pixel(frame, 34, 20), [0, 0, 200], 15)
    expect(await readImageHeader(bytes)).toEqual({ format: 'jpeg', width: WIDTH, height: HEIGHT })
  })

  test('drops alpha and keeps the colour beneath it, as Pillow does', async () => {
    const rgba = Buffer.from([10, 20, 30, 0, 40, 50, 60, 128])
    const bytes = await sharp(rgba, { raw: { width: 2, height: 1, channels: 4 } })
      .png()
      .toBuffer()
    expect([...(await decodeImage(bytes)).data]).toEqual([10, 20, 30, 40, 50, 60])
  })

  test('repeats grey, with and without alpha', async () => {
    const grey = await picture().toColourspace('b-w').png().toBuffer()
    const withAlpha = await sharp(grey).ensureAlpha(0.5).png().toBuffer()
    for (const bytes of [grey, withAlpha]) {
      const [red, green, blue] = pixel(await decodeImage(bytes), 3, 3)
      expect([green, blue]).toEqual([red, red])
    }
  })

  test('keeps the high byte of 16-bit grey', async () => {
    const grey = Uint16Array.from({ length: 256 }, (_, i) => i * 256 + 77)
    const bytes = await sharp(grey, { raw: { width: 16, height: 16, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer()
    const { data } = await decodeImage(bytes)
    expect([...data.filter((_, i) => i % 3 === 0)]).toEqual(Array.from({ length: 256 }, (_, i) => i))
  })

  test('subtracts CMYK from white', async () => {
    const bytes = await sharp({ create: { width: 32, height: 32, channels: 3, background: '#c81e5a' } })
      .toColourspace('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer()
    const ink = await sharp(bytes).pipelineColourspace('cmyk').toColourspace('cmyk').raw().toBuffer()
    const [cyan, magenta, yellow, black] = [...ink.subarray(0, 4)] as [number, number, number, number]
    const wanted = [cyan, magenta, yellow].map(value => ((255 - value) * (255 - black)) / 255)
    near(pixel(await decodeImage(bytes), 0, 0), wanted, 1)
  })

  test('takes the first frame of an animation', async () => {
    const frames = await Promise.all(
      ['#ff0000', '#0000ff'].map(background =>
        sharp({ create: { width: 8, height: 8, channels: 3, background } })
          .png()
          .toBuffer(),
      ),
    )
    const bytes = await sharp(frames, { join: { animated: true } })
      .webp({ lossless: true, delay: [100, 100] })
      .toBuffer()
    const frame = await decodeImage(bytes)
    expect([frame.width, frame.height]).toEqual([8, 8])
    expect(pixel(frame, 4, 4)).toEqual([255, 0, 0])
  })

  test('passes raw frames through', async () => {
    const frame = { data: new Uint8Array(12), width: 2, height: 2 }
    expect(await decodeImage(frame)).toBe(frame)
  })
})

describe('refusing', () => {
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => 'decoded',
      error => error.code,
    )
  const svg = Buffer.from(
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
  )

  test.each([
    ['0 bytes', () => new Uint8Array(0)],
    ['garbage', () => Buffer.alloc(5000, 'garbage ')],
    [
      'text with a JPEG start',
      () => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(500, 'x')]),
    ],
    ['svg', () => svg],
    ['svg behind a PNG start', () => Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), svg])],
    ['gif', () => picture().gif().toBuffer()],
    ['tiff', () => picture().tiff().toBuffer()],
    ['avif', () => picture().avif().toBuffer()],
    ['truncated jpeg', async () => (await picture().jpeg().toBuffer()).subarray(0, -40)],
    ['truncated png', async () => (await picture().png({ compressionLevel: 0 }).toBuffer()).subarray(0, 900)],
    ['truncated webp', async () => (await picture().webp({ lossless: true }).toBuffer()).subarray(0, 60)],
  ])('%s', async (_, bytes) => {
    expect(await code(decodeImage(await bytes()))).toBe('IMAGE_INVALID')
  })

  test('a PNG that claims 16384x16384 pixels, by its header alone', async () => {
    const bytes = await picture().png().toBuffer()
    bytes.writeUInt32BE(16384, 16)
    bytes.writeUInt32BE(16384, 20)
    bytes.writeUInt32BE(crc32(bytes.subarray(12, 29)), 29)
    expect(await code(decodeImage(bytes))).toBe('IMAGE_TOO_LARGE')
    expect(await code(readImageHeader(bytes))).toBe('IMAGE_TOO_LARGE')
  })

  test('more pixels than asked for', async () => {
    expect(await code(decodeImage(await picture().jpeg().toBuffer(), { maxPixels: 100 }))).toBe(
      'IMAGE_TOO_LARGE',
    )
    expect(
      await code(decodeImage({ data: new Uint8Array(363), width: 11, height: 11 }, { maxPixels: 100 })),
    ).toBe('IMAGE_TOO_LARGE')
    const limit = /exceeds the limit of 100 pixels/
    await expect(decodeImage(await picture().jpeg().toBuffer(), { maxPixels: 100 })).rejects.toThrow(limit)
  })

  test.each([
    [{ data: new Uint8Array(11), width: 2, height: 2 }],
    [{ data: new Uint8Array(0), width: 0, height: 0 }],
    [{ data: new Uint8Array(12), width: -2, height: -2 }],
    [{ data: new Uint8Array(3), width: 0.5, height: 2 }],
  ])('a raw frame whose size does not add up', async frame => {
    expect(await code(decodeImage(frame))).toBe('IMAGE_INVALID')
  })

  test('leaves the other loaders blocked in this process', async () => {
    await expect(sharp(svg).metadata()).rejects.toThrow()
  })
})

/** CRC-32 as PNG has it (ISO 15948, annex D). */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1
  }
  return (crc ^ 0xffffffff) >>> 0
}
