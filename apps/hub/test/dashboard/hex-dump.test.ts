import { expect, test } from 'vitest'
import { bytesOfBase64, hexDump } from '../../dashboard/src/hex-dump.ts'

test('sixteen bytes a line, in hex and as text', () => {
  const bytes = bytesOfBase64(Buffer.from('<b>hello</b>, wörld').toString('base64'))
  expect(hexDump(bytes)).toBe(
    [
      '0000  3c 62 3e 68 65 6c 6c 6f 3c 2f 62 3e 2c 20 77 c3  <b>hello</b>, w.',
      `0010  ${'b6 72 6c 64'.padEnd(47)}  .rld`,
    ].join('\n'),
  )
  expect(hexDump(new Uint8Array())).toBe('')
})
