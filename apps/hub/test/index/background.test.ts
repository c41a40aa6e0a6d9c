import { Background } from '@sightline/hub/index/background.js'
import { expect, test } from 'vitest'

const vectorOf = (ord: number) => Float32Array.of(ord)
const ordsIn = (background: Background) => background.vectors.map(([ord]) => ord!).sort((a, b) => a - b)

test('the sample depends on what is stored, not on the order of arrival or on a restart', () => {
  const forward = new Background(50)
  for (let ord = 1; ord <= 3000; ord++) forward.add(ord, vectorOf(ord))
  const backward = new Background(50)
  for (let ord = 3000; ord >= 1; ord--) backward.add(ord, vectorOf(ord))
  const restored = new Background(50)
  let lookups = 0
  restored.restore(2000, ord => {
    lookups++
    return vectorOf(ord)
  })
  for (let ord = 2001; ord <= 3000; ord++) restored.add(ord, vectorOf(ord))
  expect(ordsIn(backward)).toEqual(ordsIn(forward))
  expect(ordsIn(restored)).toEqual(ordsIn(forward))
  expect(lookups).toBe(50)
})

test('old and new frames are drawn alike', () => {
  const background = new Background()
  for (let ord = 1; ord <= 20_000; ord++) background.add(ord, vectorOf(ord))
  const mean = ordsIn(background).reduce((sum, ord) => sum + ord, 0) / background.size
  // Standard error of the mean of 512 uniform draws: 20000 / sqrt(12 * 512) = 255.
  expect(Math.abs(mean - 10_000)).toBeLessThan(3 * 255)
})

test('frames that are gone or of another model are left out', () => {
  const background = new Background(50)
  background.restore(1000, ord => (ord % 2 === 0 ? vectorOf(ord) : undefined))
  expect(background.size).toBe(50)
  expect(ordsIn(background).every(ord => ord % 2 === 0)).toBe(true)
})
