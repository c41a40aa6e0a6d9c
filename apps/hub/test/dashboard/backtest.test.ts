import { expect, test } from 'vitest'
import { jsonLines } from '../../dashboard/src/backtest.ts'

async function read(pieces: readonly string[]): Promise<unknown[]> {
  const encoder = new TextEncoder()
  const lines: unknown[] = []
  const bytes = new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: stream => {
      for (const piece of pieces) stream.enqueue(encoder.encode(piece))
      stream.close()
    },
  })
  for await (const line of jsonLines(bytes)) lines.push(line)
  return lines
}

test('lines that come in pieces are put together', async () => {
  expect(await read(['{"type":"pro', 'gress","scanned":1}\n{"type"', ':"result"}', '\n'])).toEqual([
    { type: 'progress', scanned: 1 },
    { type: 'result' },
  ])
})

test('a last line without its end is not taken for whole', async () => {
  expect(await read(['{"type":"progress"}\n{"type":"res'])).toEqual([{ type: 'progress' }])
})
