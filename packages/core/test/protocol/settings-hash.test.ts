import { canonicalJson, settingsHash } from '@sightline/core/protocol/settings-hash.js'
import { expect, it } from 'vitest'

it('names the same settings alike, whatever order they were written in', () => {
  const settings = { b: [1, { d: null, c: 'é\n' }], a: { y: 1e21, x: -0 } }
  expect(canonicalJson(settings)).toBe('{"a":{"x":0,"y":1e+21},"b":[1,{"c":"é\\n","d":null}]}')
  expect(settingsHash({ a: { x: 0, y: 1e21 }, b: [1, { c: 'é\n', d: null }] })).toBe(settingsHash(settings))
  expect(settingsHash({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a')
})

it('tells an order of list members apart, and leaves out what is undefined', () => {
  expect(settingsHash({ a: [1, 2] })).not.toBe(settingsHash({ a: [2, 1] }))
  expect(canonicalJson({ a: undefined, b: 1 })).toBe('{"b":1}')
})
