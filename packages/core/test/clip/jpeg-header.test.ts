import { decodeImage } from '@sightline/core/clip/image-decode.js'
import { plainJpeg } from '@sightline/core/clip/jpeg-header.js'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'

function picture(width = 40, height = 24): Sharp {
  return sharp({ create: { width, height, channels: 3, background: '#c81e5a' } })
}

describe('a plain JPEG', () => {
  test.each([
    ['baseline', () => picture().jpeg().toBuffer()],
    ['progressive', () => picture().jpeg({ progressive: true }).toBuffer()],
    ['without chroma subsampling', () => picture().jpeg({ chromaSubsampling: '4:4:4' }).toBuffer()],
    ['with a colour profile', () => picture().jpeg().withIccProfile('srgb').toBuffer()],
    ['cut off after its header', async () => (await picture().jpeg().toBuffer()).subarray(0, -30)],
  ])('tells its size: %s', async (_, encode) => {
    expect(plainJpeg(await encode())).toEqual({ width: 40, height: 24 })
  })

  test('within a larger buffer', async () => {
    const bytes = await picture().jpeg().toBuffer()
    const larger = Buffer.concat([Buffer.alloc(7, 0xff), bytes, Buffer.alloc(9)])
    expect(plainJpeg(larger.subarray(7, 7 + bytes.length))).toEqual({ width: 40, height: 24 })
  })

  test.each([
    ['one that may be turned', () => picture().jpeg().withMetadata({ orientation: 6 }).toBuffer()],
    ['grey', () => picture().toColourspace('b-w').jpeg().toBuffer()],
    ['CMYK', () => picture().toColourspace('cmyk').jpeg().toBuffer()],
    ['a PNG', () => picture().png().toBuffer()],
    ['nothing', () => Buffer.alloc(0)],
    ['a start alone', () => Buffer.from([0xff, 0xd8])],
    [
      'garbage behind the start',
      () => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff]), Buffer.alloc(500, 'x')]),
    ],
    [
      'segments of no length',
      () => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(500)]),
    ],
    ['a height that comes later', async () => zeroHeight(await picture().jpeg().toBuffer())],
  ])('is not %s', async (_, encode) => {
    expect(plainJpeg(await encode())).toBeUndefined()
  })

  test('is refused above the limit, and cut off, as any other', async () => {
    const bytes = await picture(400, 300).jpeg().toBuffer()
    await expect(decodeImage(bytes, { maxPixels: 1000 })).rejects.toMatchObject({ code: 'IMAGE_TOO_LARGE' })
    await expect(decodeImage(bytes.subarray(0, -40))).rejects.toMatchObject({ code: 'IMAGE_INVALID' })
  })
})

function zeroHeight(bytes: Buffer): Buffer {
  bytes.writeUInt16BE(0, bytes.indexOf(Buffer.from([0xff, 0xc0])) + 5)
  return bytes
}
