import { multipartBodies, multipartBoundary } from '@sightline/edge-agent/camera/multipart.js'
import { describe, expect, it } from 'vitest'

async function* inPieces(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function bodies(stream: Buffer, size: number, maxPartBytes = 100): Promise<string[]> {
  const found: string[] = []
  for await (const body of multipartBodies(inPieces(stream, size), { boundary: 'b', maxPartBytes })) {
    found.push(body.toString('latin1'))
  }
  return found
}

describe('multipartBoundary', () => {
  it.each([
    ['multipart/x-mixed-replace; boundary=frame', 'frame'],
    ['multipart/x-mixed-replace;boundary="a b"', 'a b'],
    ['Multipart/x-mixed-replace; charset=x; Boundary=--frame', 'frame'],
    ['image/jpeg', undefined],
    ['multipart/x-mixed-replace', undefined],
  ])('%s', (type, boundary) => expect(multipartBoundary(type)).toBe(boundary))
})

describe('multipartBodies', () => {
  const withLength = Buffer.from(
    'preamble\r\n--b\r\nContent-Type: x\r\nContent-Length: 6\r\n\r\n--b\r\nX\r\n--b\r\ncontent-length: 2\r\n\r\nhi\r\n--b--',
  )
  const without = Buffer.from('--b\r\nContent-Type: x\r\n\r\none\r\n--b\r\nA: b\r\n\r\ntwo\r\n--b\r\n')

  it.each([1, 2, 3, 7, 1000])('obeys lengths, in chunks of %i bytes', async size => {
    expect(await bodies(withLength, size)).toEqual(['--b\r\nX', 'hi'])
  })

  it.each([1, 2, 3, 7, 1000])(
    'ends a part without a length at the delimiter, in chunks of %i bytes',
    async size => {
      expect(await bodies(without, size)).toEqual(['one', 'two'])
    },
  )

  it('refuses a part that is declared too long', async () => {
    const stream = Buffer.from('--b\r\nContent-Length: 101\r\n\r\n')
    await expect(bodies(stream, 10)).rejects.toMatchObject({ code: 'CAMERA_FAILED' })
  })

  it('refuses a part that does not end', async () => {
    const stream = Buffer.concat([Buffer.from('--b\r\n\r\n'), Buffer.alloc(300, 'x')])
    await expect(bodies(stream, 50)).rejects.toMatchObject({ code: 'CAMERA_FAILED' })
  })

  it('refuses a stream without a header', async () => {
    await expect(bodies(Buffer.alloc(20_000, 'x'), 1000)).rejects.toMatchObject({ code: 'CAMERA_FAILED' })
  })
})
