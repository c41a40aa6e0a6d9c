import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ClipModel, loadModel } from '@sightline/core/clip/model.js'
import { buildClassifier, classify } from '@sightline/core/clip/zero-shot.js'
import { dot } from '@sightline/core/vector.js'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { textRow, writeTinyModel } from './tiny-model.ts'

const DIM = 8
let root: string
let model: ClipModel
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'sightline-model-'))
  // Red, green and blue each get a direction of their own.
  const imageWeights = new Float32Array(3 * DIM)
  for (let c = 0; c < 3; c++) imageWeights[c * DIM + c] = 1
  await writeTinyModel(join(root, 'tiny'), { dim: DIM, imageWeights })
  model = await loadModel({ dir: join(root, 'tiny'), threads: 1, maxBatch: 4 })
})
afterAll(async () => {
  await model.close()
  await rm(root, { recursive: true })
})

const flat = (background: string) =>
  sharp({ create: { width: 20, height: 30, channels: 3, background } })
    .png()
    .toBuffer()
const axis = (i: number) => Array.from({ length: DIM }, (_, d) => (d === i ? 1 : 0))

describe('pictures', () => {
  test('of files and raw frames become unit vectors in order', async () => {
    const frame = {
      data: new Uint8Array(16 * 16 * 3).map((_, i) => (i % 3 === 2 ? 255 : 0)),
      width: 16,
      height: 16,
    }
    const vectors = await model.encodeImages([await flat('#ff0000'), await flat('#00ff00'), frame])
    expect(vectors.map(vector => [...vector])).toEqual([axis(0), axis(1), axis(2)])
  })

  test('more than a batch are split', async () => {
    const before = model.stats.image!
    const red = await flat('#ff0000')
    const vectors = await model.encodeImages(Array.from({ length: 11 }, () => red))
    expect(vectors).toHaveLength(11)
    const { runs, items, queued } = model.stats.image!
    expect([items - before.items, queued]).toEqual([11, 0])
    expect(runs - before.runs).toBeGreaterThanOrEqual(3)
  })

  test('none are none', async () => {
    expect(await model.encodeImages([])).toEqual([])
  })

  test('that are faulty are told by their place, or settled one by one', async () => {
    // Black has no direction in this model.
    const inputs = [await flat('#ff0000'), Buffer.from('no picture'), await flat('#000000')]
    await expect(model.encodeImages(inputs)).rejects.toMatchObject({
      code: 'IMAGE_INVALID',
      details: { index: 1 },
    })
    const settled = await model.encodeImagesSettled(inputs)
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
    await model.encodeImages(
      Array.from({ length: 8 }, () => ({ data: new Uint8Array(192).fill(1), width: 8, height: 8 })),
    )
    counting = false
    expect(turns).toBeGreaterThanOrEqual(8)
  })

  test('stop when the caller gives up', async () => {
    const inputs = Array.from({ length: 3 }, () => ({ data: new Uint8Array(768), width: 16, height: 16 }))
    await expect(model.encodeImages(inputs, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
  })
})

describe('sentences', () => {
  test('become unit vectors, the same alone and in a padded batch', async () => {
    const fresh = await loadModel({
      dir: join(root, 'tiny'),
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
    const before = model.stats.text!.cache
    const [first] = await model.encodeTexts(['blue thing'])
    const wanted = [...first!]
    first!.fill(0)
    const [again, twin] = await model.encodeTexts(['blue thing', 'blue thing'])
    expect([[...again!], [...twin!]]).toEqual([wanted, wanted])
    const { hits, misses, bytes } = model.stats.text!.cache
    expect([hits - before.hits, misses - before.misses]).toEqual([1, 1])
    expect(bytes).toBeGreaterThan(DIM * 4)
  })

  test('the cache has a bound in bytes', async () => {
    const small = await loadModel({
      dir: join(root, 'tiny'),
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
      dir: join(root, 'tiny'),
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
    const [cut] = await model.encodeTexts([text])
    const [windowed] = await model.encodeTexts([text], { long: 'window' })
    const [sixReds, sixBlues] = await model.encodeTexts(['red '.repeat(6), 'blue '.repeat(6)])
    expect([...cut!]).toEqual([...sixReds!])
    const sum = sixReds!.map((value, i) => value + sixBlues![i]!)
    expect(dot(windowed!, sum) / Math.hypot(...sum)).toBeCloseTo(1, 6)
  })

  test('that are empty are told by their place', async () => {
    await expect(model.encodeTexts(['red', '  '])).rejects.toMatchObject({
      code: 'TEXT_INVALID',
      details: { index: 1 },
    })
  })
})

describe('the zero-shot classifier', () => {
  test('averages the templates of a class and scores by softmax', async () => {
    const classifier = await buildClassifier(model, ['red', 'blue'], ['a {}', '{} thing'])
    const wanted = (colour: string) => {
      const texts = [
        ['[CLS]', 'a', colour, '[SEP]'],
        ['[CLS]', colour, 'thing', '[SEP]'],
      ]
      const units = texts.map(tokens => unit(sum(tokens.map(token => textRow(token, DIM)))))
      return unit(sum(units))
    }
    for (const [i, colour] of ['red', 'blue'].entries()) {
      for (const [d, value] of wanted(colour).entries())
        expect(classifier.vectors[i]![d]).toBeCloseTo(value, 5)
    }
    const scores = classify(classifier.vectors[0]!, classifier)
    expect(scores.map(({ label }) => label)).toEqual(['red', 'blue'])
    expect(scores[0]!.similarity).toBeCloseTo(1, 5)
    expect(scores[0]!.probability + scores[1]!.probability).toBeCloseTo(1, 6)
    const gap = scores[0]!.similarity - scores[1]!.similarity
    expect(scores[0]!.probability).toBeCloseTo(1 / (1 + Math.exp(-10 * gap)), 5)
  })

  test('bears a logit scale of 100', () => {
    const classifier = {
      labels: ['a', 'b'],
      vectors: [Float32Array.of(1, 0), Float32Array.of(-1, 0)],
      logitScale: 100,
      fingerprint: 'x',
    }
    expect(classify(Float32Array.of(1, 0), classifier).map(({ probability }) => probability)).toEqual([
      1,
      expect.closeTo(0, 10),
    ])
  })

  test.each([
    [[], ['a {}']],
    [['red'], []],
    [['red'], ['a photo']],
  ])('refuses %j in %j', async (classes, templates) => {
    await expect(buildClassifier(model, classes, templates)).rejects.toMatchObject({ code: 'TEXT_INVALID' })
  })
})

function sum(rows: Float32Array[]): number[] {
  return Array.from({ length: DIM }, (_, d) => rows.reduce((total, row) => total + row[d]!, 0))
}

function unit(row: number[]): Float32Array {
  const norm = Math.hypot(...row)
  return Float32Array.from(row, value => value / norm)
}

describe('loading', () => {
  test('a directory without a model', async () => {
    await expect(loadModel({ dir: join(root, 'nowhere') })).rejects.toMatchObject({ code: 'MODEL_MISSING' })
  })

  test('a file that is not what the manifest says', async () => {
    const dir = join(root, 'damaged')
    await writeTinyModel(dir, { dim: DIM, imageWeights: new Float32Array(24) })
    const bytes = await readFile(join(dir, 'image.onnx'))
    bytes[bytes.length - 1]! ^= 1
    await writeFile(join(dir, 'image.onnx'), bytes)
    await expect(loadModel({ dir })).rejects.toMatchObject({ code: 'MODEL_FILE_CORRUPT' })
  })

  test('a manifest with the wrong dim', async () => {
    const dir = join(root, 'wrong-dim')
    await writeTinyModel(dir, { dim: DIM, imageWeights: new Float32Array(24), manifest: { dim: 16 } })
    const wrong = await loadModel({ dir })
    await expect(wrong.warmUp()).rejects.toMatchObject({ code: 'MODEL_INVALID' })
    await wrong.close()
  })

  test('one tower needs only its own files', async () => {
    const dir = join(root, 'image-only')
    await writeTinyModel(dir, { dim: DIM, imageWeights: new Float32Array(24).fill(1) })
    await rm(join(dir, 'text.onnx'))
    await rm(join(dir, 'tokenizer.json'))
    await expect(loadModel({ dir })).rejects.toMatchObject({ code: 'MODEL_MISSING' })
    const half = await loadModel({ dir, towers: ['image'], threads: 1 })
    expect(await half.encodeImages([await flat('#ffffff')])).toHaveLength(1)
    await expect(half.encodeTexts(['red'])).rejects.toMatchObject({ code: 'MODEL_MISSING' })
    await half.close()
  })

  test('closing is final and may be repeated', async () => {
    const closing = await loadModel({ dir: join(root, 'tiny'), threads: 1 })
    const last = closing.encodeTexts(['red'])
    await new Promise(resolve => setImmediate(resolve))
    await closing.close()
    expect(await last).toHaveLength(1)
    await closing.close()
    await expect(closing.encodeImages([await flat('#ff0000')])).rejects.toMatchObject({
      code: 'MODEL_FAILED',
    })
  })
})

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
    const mini = await loadModel({ dir, cacheDir: root, threads: 1 })
    const bytes = await Promise.all(photos.map(photo => readFile(new URL(photo, samples))))
    const vectors = await mini.encodeImages(bytes)
    const [alone] = await mini.encodeImages([bytes[0]!])
    expect(dot(alone!, vectors[0]!)).toBeGreaterThan(0.9999)
    // Its text tower is dynamically quantised: in one batch these would share a scale and turn by up to ten degrees.
    const long = 'a long sentence about a cat that sleeps on wooden planks in the late afternoon sun'
    const [together] = await mini.encodeTexts(['a boat', long, 'tea'])
    const other = await loadModel({ dir, cacheDir: root, threads: 1, towers: ['text'] })
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
