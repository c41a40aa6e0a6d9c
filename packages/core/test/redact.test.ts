import { redacted, redactText, unredacted } from '@sightline/core'
import { expect, it } from 'vitest'

it.each([
  ['rtsp://me:se@cret@10.0.0.1/s1', 'rtsp://…@10.0.0.1/s1'],
  [
    'http://10.0.0.1/snap?user=me&password=secret&channel=1',
    'http://10.0.0.1/snap?user=me&password=…&channel=1',
  ],
  ['http://h/x?apiKey=1#top', 'http://h/x?apiKey=…#top'],
  ['nothing to hide', 'nothing to hide'],
])('blacks out %s', (text, expected) => {
  expect(redactText(text)).toBe(expected)
})

it('puts back what was shown blacked out, and leaves what is new', () => {
  const original = { cameras: [{ name: 'a', source: 'rtsp://me:secret@h/1' }] }
  const shown = redacted(original)
  expect(JSON.stringify(shown)).not.toContain('secret')
  const edited = {
    cameras: [{ name: 'b', source: 'rtsp://you:other@h/2' }, ...(shown as typeof original).cameras],
  }
  expect(unredacted(edited, original)).toEqual({ cameras: [edited.cameras[0], ...original.cameras] })
})
