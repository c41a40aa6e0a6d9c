import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadModel } from '@sightline/core/clip/model.js'
import { buildClassifier, classify } from '@sightline/core/clip/zero-shot.js'
import { dot } from '@sightline/core/vector.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

let cacheDir: string
beforeAll(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'sightline-model-'))
})
afterAll(() => rm(cacheDir, { recursive: true }))

describe('the embedded model', () => {
  const samples = new URL('../../../../deploy/samples/cameras/', import.meta.url)
  const photos = [
    'yard/01-tabby-cat-face.jpg',
    'lobby/01-cup-of-espresso.jpg',
    'harbour/10-lighthouse.jpg',
    'yard/07-puppy.jpg',
  ]

  test('tells sample photos apart, the same in a batch and alone', async () => {
    const dir = fileURLToPath(new URL('../../../../models/quantized/sightline-mini/', import.meta.url))
    const mini = await loadModel({ dir, cacheDir, threads: 1 })
    const bytes = await Promise.all(photos.map(photo => readFile(new URL(photo, samples))))
    const vectors = await mini.encodeImages(bytes)
    const [alone] = await mini.encodeImages([bytes[0]!])
    expect(dot(alone!, vectors[0]!)).toBeGreaterThan(0.9999)
    // Its text tower is dynamically quantised: in one batch these would share a scale and turn by up to ten degrees.
    const long = 'a long sentence about a cat that sleeps on wooden planks in the late afternoon sun'
    const [together] = await mini.encodeTexts(['a boat', long, 'tea'])
    const other = await loadModel({ dir, cacheDir, threads: 1, towers: ['text'] })
    const [single] = await other.encodeTexts(['a boat'])
    expect([other.fitsContext(long), other.fitsContext('cat '.repeat(200))]).toEqual([true, false])
    expect(dot(single!, together!)).toBeGreaterThan(0.999999)
    await other.close()
    const classifier = await buildClassifier(mini, ['cat', 'cup of coffee', 'lighthouse', 'puppy'])
    const best = vectors.map(vector => {
      const scores = classify(vector, classifier)
      return scores.reduce((first, second) => (second.probability > first.probability ? second : first)).label
    })
    expect(best).toEqual(['cat', 'cup of coffee', 'lighthouse', 'puppy'])
    expect(classifier.fingerprint).toBe(mini.fingerprint)
    await mini.close()
  })
})
