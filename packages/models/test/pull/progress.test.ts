import { PullLines } from '@sightline/models/pull/progress.js'
import { describe, expect, it } from 'vitest'

function lines(isTTY: boolean) {
  const written: string[] = []
  let nowMs = 0
  const stream = { write: (text: string) => written.push(text), isTTY, columns: 80 }
  const progress = new PullLines(stream, () => nowMs)
  const at = (ms: number) => {
    nowMs = ms
  }
  return { written, progress, at }
}

describe('progress of a pull', () => {
  it('draws a bar on a terminal, ten times a second at most', () => {
    const { written, progress, at } = lines(true)
    progress.file('image.onnx', 0, 20_000_000)
    for (let ms = 10; ms <= 1000; ms += 10) {
      at(ms)
      progress.bytes(ms * 10_000)
    }
    expect(written).toHaveLength(10)
    expect(written.at(-1)).toContain(
      '[############............] image.onnx  10 MB of 20 MB  10 MB/s  1 s left',
    )
  })

  it('writes plain lines elsewhere, every ten seconds', () => {
    const { written, progress, at } = lines(false)
    progress.file('image.onnx', 5_000_000, 100_000_000)
    for (let second = 1; second <= 25; second++) {
      at(second * 1000)
      progress.bytes(5_000_000 + second * 1_000_000)
    }
    expect(written).toEqual([
      'image.onnx: 100 MB, resuming at 5.0 MB\n',
      'image.onnx  15 MB of 100 MB  1.0 MB/s  85 s left\n',
      'image.onnx  25 MB of 100 MB  1.0 MB/s  75 s left\n',
    ])
  })
})
