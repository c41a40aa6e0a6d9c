import { join } from 'node:path'
import { loadModel } from '@sightline/core/clip/model.js'
import { dot } from '@sightline/core/vector.js'
import { describe, expect, test } from 'vitest'
import { axis, colourModel, DIM, flat } from './colour-model.ts'

const tiny = colourModel()

describe('pictures', () => {
  test('of files and raw frames become unit vectors in order', async () => {
    const frame = {
      data: new Uint8Array(16 * 16 * 3).map((_, i) => (i % 3 === 2 ? 255 : 0)),
      width: 16,
      height: 16,
    }
    const vectors = await tiny.model.encodeImages([await flat('#ff0000'), await flat('#00ff00'), frame])
    expect(vectors.map(vector => [...vector])).toEqual([axis(0), axis(1), axis(2)])
  })

  test('more than a batch are split', async () => {
    const before = tiny.model.stats.image!
    const red = await flat('#ff0000')
    const vectors = await tiny.model.encodeImages(Array.from({ length: 11 }, () => red))
    expect(vectors).toHaveLength(11)
    const { runs, items, queued } = tiny.model.stats.image!
    expect([items - before.items, queued]).toEqual([11, 0])
    expect(runs - before.runs).toBeGreaterThanOrEqual(3)
  })

  test('none are none', async () => {
    expect(await tiny.model.encodeImages([])).toEqual([])
  })

  test('that are faulty are told by their place, or settled one by one', async () => {
    // Black has no direction in this model.
    const inputs = [await flat('#ff0000'), Buffer.from('no picture'), await flat('#000000')]
    await expect(tiny.model.encodeImages(inputs)).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      details: { index: 1 },
    })
    const settled = await tiny.model.encodeImagesSettled(inputs)
    expect(settled.map(result => ('vector' in result ? [...result.vector] : result.error.code))).toEqual([
      axis(0),
      'IMAGE_INVALID',
      'MODEL_OUTPUT_INVALID',
    ])
  })

  test('leave the event loop a turn between those that must be enlarged', async () => {
    let turns = 0
    let counting = true
    const count = () => {
      turns++
      if (counting) setImmediate(count)
    }
    setImmediate(count)
    await tiny.model.encodeImages(
      Array.from({ length: 8 }, () => ({ data: new Uint8Array(192).fill(1), width: 8, height: 8 })),
    )
    counting = false
    expect(turns).toBeGreaterThanOrEqual(8)
  })

  test('stop when the caller gives up', async () => {
    const inputs = Array.from({ length: 3 }, () => ({ data: new Uint8Array(768), width: 16, height: 16 }))
    await expect(tiny.model.encodeImages(inputs, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
  })
})

describe('sentences', () => {
  test('become unit vectors, the same alone and in a padded batch', async () => {
    const fresh = await loadModel({
      dir: join(tiny.root, 'tiny'),
      threads: 1,
      towers: ['text'],
      textCacheBytes: 0,
    })
    const [short, long] = await fresh.encodeTexts(['red', 'a green thing'])
    const [alone] = await fresh.encodeTexts(['red'])
    expect(Math.hypot(...short!)).toBeCloseTo(1, 6)
    expect([...alone!]).toEqual([...short!])
    expect([...long!]).not.toEqual([...short!])
    expect(fresh.stats.text!.cache).toEqual({ hits: 0, misses: 3, entries: 0, bytes: 0 })
    await fresh.close()
  })

  test('are remembered, and the copies are independent', async () => {
    const before = tiny.model.stats.text!.cache
    const [first] = await tiny.model.encodeTexts(['blue thing'])
    const wanted = [...first!]
    first!.fill(0)
    const [again, twin] = await tiny.model.encodeTexts(['blue thing', 'blue thing'])
    expect([[...again!], [...twin!]]).toEqual([wanted, wanted])
    const { hits, misses, bytes } = tiny.model.stats.text!.cache
    expect([hits - before.hits, misses - before.misses]).toEqual([1, 1])
    expect(bytes).toBeGreaterThan(DIM * 4)
  })

  test('the cache has a bound in bytes', async () => {
    const small = await loadModel({
      dir: join(tiny.root, 'tiny'),
      threads: 1,
      towers: ['text'],
      textCacheBytes: 200,
    })
    await small.encodeTexts(['red', 'green', 'blue', 'a', 'thing', 'things'])
    expect(small.stats.text!.cache.bytes).toBeLessThanOrEqual(200)
    expect(small.stats.text!.cache.entries).toBeGreaterThan(0)
    await small.close()
  })

  test('more than the queue holds are embedded in turn', async () => {
    const narrow = await loadModel({
      dir: join(tiny.root, 'tiny'),
      threads: 1,
      towers: ['text'],
      maxBatch: 2,
      maxQueued: 4,
    })
    expect(
      await narrow.encodeTexts(Array.from({ length: 40 }, (_, i) => `red ${'a '.repeat(i % 6)}${i}`)),
    ).toHaveLength(40)
    await narrow.close()
  })

  test('long ones are cut, or read in windows whose vectors are averaged', async () => {
    const text = 'red red red red red red blue blue blue blue blue blue'
    const [cut] = await tiny.model.encodeTexts([text])
    const [windowed] = await tiny.model.encodeTexts([text], { long: 'window' })
    const [sixReds, sixBlues] = await tiny.model.encodeTexts(['red '.repeat(6), 'blue '.repeat(6)])
    expect([...cut!]).toEqual([...sixReds!])
    const sum = sixReds!.map((value, i) => value + sixBlues![i]!)
    expect(dot(windowed!, sum) / Math.hypot(...sum)).toBeCloseTo(1, 6)
  })

  test('that are empty are told by their place', async () => {
    await expect(tiny.model.encodeTexts(['red', '  '])).rejects.toMatchObject({
      code: 'TEXT_INVALID',
      details: { index: 1 },
    })
  })
})
