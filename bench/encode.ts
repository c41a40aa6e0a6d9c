import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { type ClipModel, decodeImage, loadModel } from '@sightline/core'
import { preprocessImage, toTensor } from '@sightline/core/clip/preprocess.js'
import { defaultThreads, type Feed, TowerSession } from '@sightline/core/clip/session.js'
import { BareSession, imageTensor, readyTensor } from './bare-session.ts'
import { BARE, BATCH, besideBare, shortfall } from './beside-bare.ts'
import {
  type BenchOptions,
  type Comparison,
  compareCost,
  type Figure,
  interleave,
  median,
  type Section,
} from './measure.ts'
import { peakMemory } from './peak-memory.ts'
import { cameraPictures, MODEL_DIR, writePictures } from './pictures.ts'
import { number } from './report.ts'

const STREAM = 4 * BATCH

/** JPEG to unit vector beside the inference alone: what decoding, resizing, threads and batching cost. */
export async function encode({ quick, dir }: BenchOptions): Promise<Section> {
  const pictures = await cameraPictures(BATCH)
  const model = await loadModel({ dir: MODEL_DIR, towers: ['image'] })
  await model.warmUp()
  const path = join(MODEL_DIR, model.manifest.image.file.path)
  const bare = await BareSession.open(path)
  const worker = await TowerSession.open(path)
  try {
    const ready = await readyTensor(model, pictures)
    const bench: Bench = { model, pictures, bare, worker, ready, rounds: quick ? 2 : 12 }
    const besides = await besideBare(bench)
    const { figures, prepareMs } = await steps(bench)
    const comparisons = [...besides, await throughWorker(bench), ...(await besideFloat(bench))]
    return {
      title: 'JPEG to embedding',
      comparisons,
      figures: [
        ...figures,
        await peakMemory(
          'the embedded model',
          MODEL_DIR,
          await writePictures(join(dir, 'pictures'), pictures),
        ),
      ],
      notes: [
        shortfall(besides, prepareMs),
        `JPEGs of 1280x720 made from the sample photos, the embedded model (INT8, 224x224, squash), ${defaultThreads()} threads and the same session options for both sides. The bare side gets its tensor for nothing: it neither decodes nor resizes.`,
        `"one by one": the next picture is given when the last vector is there. "one call of ${BATCH}" includes filling and emptying the pipe; "one call of ${STREAM}" is closer to a steady stream, where a batch is full when it starts.`,
        FLOAT === undefined
          ? 'INT8 beside float: not measured here; `SIGHTLINE_FLOAT_MODEL=/path/to/float/image.onnx` names a float tower of the same shape.'
          : 'INT8 beside float: the float tower that the embedded one was quantised from (`models/training/`).',
      ],
    }
  } finally {
    await Promise.all([model.close(), worker.close(), bare.close()])
  }
}

interface Bench {
  readonly model: ClipModel
  readonly pictures: readonly Buffer[]
  readonly bare: BareSession
  readonly worker: TowerSession
  /** All pictures prepared, `[BATCH, 3, size, size]`. */
  readonly ready: Float32Array
  readonly rounds: number
}

/** The price of a worker thread alone: the same ready pixels, there and back. */
async function throughWorker({ model, bare, worker, ready, rounds }: Bench): Promise<Comparison> {
  const { size, input, output } = model.manifest.image
  const length = ready.length / BATCH
  const tensor = imageTensor(ready.slice(0, length), size)
  const samples = await interleave(
    {
      ours: async () => {
        for (let i = 0; i < BATCH; i++) {
          // Copied, since a run takes its buffers away.
          const data = ready.slice(0, length)
          const feed: Feed = { name: input, type: 'float32', data, dims: [1, 3, size, size] }
          await worker.run([feed], output)
        }
      },
      theirs: async () => {
        for (let i = 0; i < BATCH; i++) await bare.run(tensor)
      },
    },
    rounds,
  )
  const what = 'inference alone, in its worker thread'
  return compareCost({ ...samples, what, beside: `${BARE}, batch 1`, items: BATCH, unit: 'ms a picture' })
}

const FLOAT = process.env.SIGHTLINE_FLOAT_MODEL

async function besideFloat({ model, bare, ready, rounds }: Bench): Promise<Comparison[]> {
  if (FLOAT === undefined) return []
  if (!existsSync(FLOAT)) {
    console.error(`SIGHTLINE_FLOAT_MODEL: no file ${FLOAT}; INT8 beside float is left out`)
    return []
  }
  const float = await BareSession.open(FLOAT)
  const { size } = model.manifest.image
  const one = imageTensor(ready.slice(0, ready.length / BATCH), size)
  const all = imageTensor(ready, size)
  try {
    const single = await interleave({ ours: () => bare.run(one), theirs: () => float.run(one) }, 2 * rounds)
    const batch = await interleave({ ours: () => bare.run(all), theirs: () => float.run(all) }, rounds)
    const shared = { beside: 'its float tower, both bare', unit: 'ms a picture' }
    return [
      compareCost({ ...single, ...shared, what: 'INT8 tower, batch 1', items: 1 }),
      compareCost({ ...batch, ...shared, what: `INT8 tower, batch ${BATCH}`, items: BATCH }),
    ]
  } finally {
    await float.close()
  }
}

/** Where the time before the inference goes, and how long others wait meanwhile. */
async function steps({ model, pictures, rounds }: Bench): Promise<{ figures: Figure[]; prepareMs: number }> {
  const spec = model.manifest.image
  const prepared = await Promise.all(pictures.map(picture => preprocessImage(picture, spec)))
  const samples = await interleave(
    {
      decode: async () => {
        for (const picture of pictures) await decodeImage(picture)
      },
      prepare: async () => {
        for (const picture of pictures) await preprocessImage(picture, spec)
      },
      normalise: () => {
        for (const { pixels } of prepared) toTensor(pixels, spec)
      },
    },
    rounds,
  )
  const cost = (times: readonly number[]) => `${number(median(times) / pictures.length)} ms a picture`
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  histogram.enable()
  for (let i = 0; i < rounds; i++) await model.encodeImages(pictures)
  histogram.disable()
  const delay = [histogram.percentile(99), histogram.max].map(ns => number(ns / 1e6))
  const figures = [
    { what: 'JPEG to RGB in full size, for comparison', value: cost(samples.decode) },
    { what: `JPEG to RGB of ${spec.size}x${spec.size}, as the model wants it`, value: cost(samples.prepare) },
    { what: 'normalising that to a tensor', value: cost(samples.normalise) },
    { what: 'delay of the event loop while embedding, P99 / longest', value: `${delay.join(' / ')} ms` },
  ]
  return { figures, prepareMs: median(samples.prepare) / pictures.length }
}
