import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  canaryPictures,
  checkCanary,
  embedCanary,
  knownCanary,
  writeCanary,
} from '@sightline/core/clip/canary.js'
import { loadModel } from '@sightline/core/clip/model.js'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeTinyModel } from './tiny-model.ts'

const DIM = 8
let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sightline-canary-'))
})
afterAll(() => rm(root, { recursive: true }))

const axis = (i: number, lean = 0) => {
  const vector = new Float32Array(DIM)
  vector[i] = Math.sqrt(1 - lean ** 2)
  vector[(i + 1) % DIM] = lean
  return vector
}

describe('the canary pictures', () => {
  test('are the same every time, and unlike each other', () => {
    const [disc, stripes] = canaryPictures()
    for (const [i, { data }] of canaryPictures().entries())
      expect(Buffer.compare(data, [disc, stripes][i]!.data)).toBe(0)
    expect(disc.data).toHaveLength(3 * disc.width * disc.height)
    const difference = disc.data.reduce((sum, value, i) => sum + Math.abs(value - stripes.data[i]!), 0)
    expect(difference / disc.data.length).toBeGreaterThan(50)
  })
})

describe('checking', () => {
  const known = { images: [axis(0), axis(1)], text: axis(2) } as const

  test('gives the least cosine of each tower', () => {
    const found = { images: [axis(0), axis(1, 0.1)], text: axis(2, 0.05) } as const
    const { image, text } = checkCanary(found, known)
    expect(image).toBeCloseTo(Math.sqrt(0.99), 5)
    expect(text).toBeCloseTo(Math.sqrt(1 - 0.0025), 5)
    expect(checkCanary({ images: found.images }, known)).toEqual({ image })
  })

  test.each([
    ['a picture that is off', { images: [axis(0), axis(1, 0.2)] }, known, /image 0\.9798/],
    ['a sentence that is off', { ...known, text: axis(3) }, known, /text 0\.0000/],
    ['NaN', { images: [axis(0), new Float32Array(DIM).fill(Number.NaN)] }, known, /not finite/],
    ['one embedding for both', { images: [axis(0), axis(0)] }, undefined, /same embedding/],
    ['no length', { images: [axis(0), new Float32Array(DIM)] }, undefined, /length 1/],
  ] as const)('refuses %s', (_, found, wanted, reason) => {
    expect(() => checkCanary(found as never, wanted)).toThrow(reason)
    expect(() => checkCanary(found as never, wanted)).toThrow(
      expect.objectContaining({ code: 'PROVIDER_UNTRUSTED' }),
    )
  })
})

describe('a manifest', () => {
  test('takes the canaries without another fingerprint, and gives them back', async () => {
    const dir = join(root, 'tiny')
    const imageWeights = new Float32Array(3 * DIM).map((_, i) => Math.cos(3 * i))
    await writeTinyModel(dir, { dim: DIM, imageWeights })
    const before = await readManifest(dir)
    expect(await knownCanary(before, root)).toBeUndefined()
    const model = await loadModel({ dir, threads: 1 })
    await writeCanary(dir, () => embedCanary(model, ['image', 'text']))
    const found = await embedCanary(model, ['image', 'text'])
    await model.close()
    const after = await readManifest(dir)
    expect(modelFingerprint(after)).toBe(modelFingerprint(before))
    const known = await knownCanary(after, undefined)
    expect(known!.images[0]).toEqual(found.images[0])
    const { image, text } = checkCanary(found, known)
    expect([image, text]).toEqual([expect.closeTo(1, 5), expect.closeTo(1, 5)])
    expect(JSON.parse(await readFile(join(dir, 'manifest.json'), 'utf8')).canary.images).toHaveLength(2)
  })
})
