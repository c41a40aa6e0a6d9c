import { readFileSync } from 'node:fs'
import { cleanClipText } from '@sightline/core/clip/text-clean.js'
import { describe, expect, test } from 'vitest'
import { dataPath } from './test-data.ts'

describe('CLIP text cleaning', () => {
  test.each([
    ['  Two   dogs\tplaying\r\nin the snow ', 'two dogs playing in the snow'],
    ['cats &amp; dogs', 'cats & dogs'],
    ['cats &amp;amp; dogs', 'cats & dogs'],
    ['AT&T R&D', 'at&t r&d'],
    ['&lt;b&gt;bold&lt;/b&gt;', '<b>bold</b>'],
    ['P&EACUTE;REZ', 'pérez'],
    ['ＬＯＵＤ　ＮＯＩＳＥＳ', 'loud noises'],
    ['ﬁne ﬂower oﬃce', 'fine flower office'],
    ['“curly” and ‘single’', '"curly" and \'single\''],
    ['schÃ¶n', 'schön'],
    ['donâ€™t', "don't"],
    ['Ð¿Ñ€Ð¸Ð²ÐµÑ‚', 'привет'],
    ['thumbs ðŸ‘\x8d up', 'thumbs 👍 up'],
    ['lone\ud800surrogate', 'lone\ufffdsurrogate'],
    ['e\u0301', 'é'],
    ['a\u3000b\u2028c\x85d', 'a b c d'],
    ['\x1b[31mred\x1b[0m', 'red'],
    ['bell\x07', 'bell'],
    ['\n\n', ''],
    ['全角', '全角'],
    ['São Paulo, Ångström, naïve café, Â', 'são paulo, ångström, naïve café, â'],
  ])('%j -> %j', (text, wanted) => {
    expect(cleanClipText(text)).toBe(wanted)
  })

  test('does not change what it has cleaned', () => {
    for (const text of ['two dogs, 5 % off', 'pérez & söhne', '👍🏽 ok']) {
      expect(cleanClipText(cleanClipText(text))).toBe(cleanClipText(text))
    }
  })
})

const parity = dataPath('parity', 'tokens-public.json')
describe.skipIf(parity === undefined)('against ftfy and the original', () => {
  const items: { id: string; text: string; clean: string }[] =
    parity === undefined ? [] : JSON.parse(readFileSync(parity, 'utf8')).items
  test.each(items)('$id', ({ text, clean }) => {
    expect(cleanClipText(text)).toBe(clean)
  })
})
