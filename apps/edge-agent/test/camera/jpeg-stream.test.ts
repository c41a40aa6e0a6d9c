import { jpegEnd, jpegFiles } from '@sightline/edge-agent/camera/jpeg-stream.js'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'

async function* inPieces(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function files(stream: Buffer, size: number, maxFrameBytes = 1_000_000): Promise<Buffer[]> {
  const found: Buffer[] = []
  for await (const file of jpegFiles(inPieces(stream, size), { maxFrameBytes })) found.push(file)
  return found
}

/** Noise, so that the entropy-coded data holds stuffed bytes. */
function picture(progressive: boolean): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 128, sigma: 60 } as const
  return sharp({ create: { width: 80, height: 60, channels: 3, background: '#000', noise } })
    .jpeg({ quality: 95, progressive })
    .toBuffer()
}

describe('jpegFiles', () => {
  it.each([1, 13, 4096, 1_000_000])('cuts a stream into its files, in chunks of %i bytes', async size => {
    const pictures = [await picture(false), await picture(true), await picture(false)]
    expect(await files(Buffer.concat(pictures), size)).toEqual(pictures)
  })

  it('is not fooled by a picture inside a picture', async () => {
    const inner = await picture(false)
    const head = Buffer.alloc(4)
    head.writeUInt16BE(0xffe1, 0)
    head.writeUInt16BE(inner.length + 2, 2)
    const outer = await picture(false)
    const nested = Buffer.concat([outer.subarray(0, 2), head, inner, outer.subarray(2)])
    expect(jpegEnd(nested)).toBe(nested.length)
  })

  it('says nothing of an unfinished file', async () => {
    const whole = await picture(false)
    for (let length = 0; length < whole.length; length += 97)
      expect(jpegEnd(whole.subarray(0, length))).toBeUndefined()
  })

  it('refuses what is not JPEG, and a file without end', async () => {
    await expect(files(Buffer.from('no pictures here'), 5)).rejects.toMatchObject({ code: 'CAMERA_FAILED' })
    const whole = await picture(false)
    await expect(files(whole, 100, 500)).rejects.toMatchObject({ code: 'CAMERA_FAILED' })
  })
})
