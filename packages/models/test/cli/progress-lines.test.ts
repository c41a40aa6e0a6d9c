import { ProgressLines } from '@sightline/models/cli/progress-lines.js'
import { expect, test } from 'vitest'

function fake(isTTY: boolean) {
  const written: string[] = []
  const stream = {
    isTTY,
    columns: 20,
    write: (text: string) => written.push(text) > 0,
  } as unknown as NodeJS.WriteStream
  let nowMs = 0
  const progress = new ProgressLines({ stream, now: () => nowMs })
  return { progress, written, pass: (ms: number) => (nowMs += ms) }
}

test('plain lines: one per phase, then one every ten seconds', () => {
  const { progress, written, pass } = fake(false)
  progress.start('calibrate', 100)
  for (let done = 1; done <= 30; done++) {
    pass(1000)
    progress.advance(done)
  }
  progress.end()
  expect(written).toEqual(['calibrate\n', 'calibrate 10/100\n', 'calibrate 20/100\n', 'calibrate 30/100\n'])
})

test('a terminal gets one line that is rewritten, never wider than it is', () => {
  const { progress, written } = fake(true)
  progress.start('measure layers', 50)
  progress.advance(7, '/encoder/layer.0/attention')
  progress.end()
  expect(written).toEqual(['\r\x1b[Kmeasure layers', '\r\x1b[Kmeasure layers 7/50', '\r\x1b[K'])
})
