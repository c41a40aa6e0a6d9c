import { bareJpeg } from '@sightline/core/clip/bare-jpeg.js'
import { decodeImage } from '@sightline/core/clip/image-decode.js'
import { blurredThumbnail, thumbnail } from '@sightline/core/clip/thumbnail.js'
import sharp, { type Sharp } from 'sharp'
import { describe, expect, test } from 'vitest'

const GPS = { IFD0: { Copyright: 'secret' }, IFD3: { GPSLatitude: '51/1 30/1 0/1', GPSLatitudeRef: 'N' } }

function picture(width = 320, height = 200): Sharp {
  return sharp({ create: { width, height, channels: 3, background: '#c81e5a' } })
}

/** Stripes of one pixel, black and white. */
function stripes(width: number, height: number) {
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < data.length; i++) data[i] = Math.floor(i / 3) % 2 === 0 ? 0 : 255
  return { data, width, height }
}

function spreadOf(values: Uint8Array): number {
  return (
    values.reduce((max, value) => Math.max(max, value), 0) -
    values.reduce((min, value) => Math.min(min, value), 255)
  )
}

describe('a bare JPEG', () => {
  test('is what thumbnails are', async () => {
    const jpeg = await picture().jpeg().withExif(GPS).toBuffer()
    for (const made of [await thumbnail(jpeg, 64), await blurredThumbnail(jpeg, 64)]) {
      expect(bareJpeg(made)).toEqual({ width: 64, height: 40 })
      expect(made.includes('secret')).toBe(false)
    }
  })

  test('may be progressive, grey or have restart markers', async () => {
    expect(bareJpeg(await picture().jpeg({ progressive: true }).toBuffer())).toEqual({
      width: 320,
      height: 200,
    })
    expect(bareJpeg(await picture().toColourspace('b-w').jpeg().toBuffer())).toEqual({
      width: 320,
      height: 200,
    })
  })

  test.each([
    ['with a place', () => picture().jpeg().withExif(GPS).toBuffer()],
    ['with a colour profile', () => picture().jpeg().withIccProfile('srgb').toBuffer()],
    [
      'with XMP',
      () => picture().jpeg().withXmp('<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>').toBuffer(),
    ],
    [
      'with a comment',
      async () => {
        const jpeg = await picture().jpeg().toBuffer()
        return Buffer.concat([
          jpeg.subarray(0, 2),
          Buffer.from([0xff, 0xfe, 0, 7]),
          Buffer.from('hello'),
          jpeg.subarray(2),
        ])
      },
    ],
    [
      'with something behind its end',
      async () => Buffer.concat([await picture().jpeg().toBuffer(), Buffer.from('and more')]),
    ],
    ['cut off', async () => (await picture().jpeg().toBuffer()).subarray(0, -2)],
    ['of CMYK', () => picture().toColourspace('cmyk').jpeg().toBuffer()],
    ['that is a PNG', () => picture().png().toBuffer()],
    ['of nothing', () => Buffer.alloc(0)],
    ['of a start and an end', () => Buffer.from([0xff, 0xd8, 0xff, 0xd9])],
    [
      'of segments without length',
      () => Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(99)]),
    ],
  ])('is none %s', async (_, make) => {
    expect(bareJpeg(await make())).toBeUndefined()
  })
})

describe('a blurred thumbnail', () => {
  test('has lost what a thumbnail shows', async () => {
    const [sharpOne, blurred] = [
      await thumbnail(stripes(64, 64), 64),
      await blurredThumbnail(stripes(64, 64), 64),
    ]
    expect(spreadOf((await decodeImage(sharpOne)).data)).toBeGreaterThan(200)
    expect(spreadOf((await decodeImage(blurred)).data)).toBeLessThan(20)
  })

  test('is the same for pictures that differ in details alone', async () => {
    const base = await sharp({ create: { width: 640, height: 480, channels: 3, background: '#808080' } })
      .png()
      .toBuffer()
    const detail = await sharp(base)
      .composite([
        { input: { create: { width: 6, height: 6, channels: 3, background: '#000' } }, left: 300, top: 200 },
      ])
      .png()
      .toBuffer()
    const [a, b] = [
      await decodeImage(await blurredThumbnail(base)),
      await decodeImage(await blurredThumbnail(detail)),
    ]
    expect([a.width, a.height]).toEqual([256, 192])
    const difference = a.data.reduce((max, value, i) => Math.max(max, Math.abs(value - b.data[i]!)), 0)
    expect(difference).toBeLessThan(4)
  })

  test('is upright', async () => {
    const turned = await picture(300, 100).jpeg().withMetadata({ orientation: 6 }).toBuffer()
    expect(await decodeImage(await blurredThumbnail(turned, 90))).toMatchObject({ width: 28, height: 90 })
  })

  test('refuses what is no picture', async () => {
    await expect(blurredThumbnail(Buffer.from('<svg>'))).rejects.toMatchObject({ code: 'IMAGE_INVALID' })
    await expect(blurredThumbnail(stripes(64, 64), 64, { maxPixels: 100 })).rejects.toMatchObject({
      code: 'IMAGE_TOO_LARGE',
    })
  })
})
