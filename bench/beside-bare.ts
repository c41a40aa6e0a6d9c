import type { ClipModel } from '@sightline/core'
import { type BareSession, imageTensor } from './bare-session.ts'
import { type Comparison, compareCost, interleave } from './measure.ts'
import { number } from './report.ts'

export const BATCH = 16
const STREAM = 4 * BATCH
export const BARE = 'bare `session.run` on a ready tensor'

export interface BesideBare {
  readonly model: ClipModel
  /** The model's image tower. */
  readonly bare: BareSession
  /** `BATCH` JPEGs. */
  readonly pictures: readonly Uint8Array[]
  /** The same, prepared: `[BATCH, 3, size, size]`. */
  readonly ready: Float32Array
  readonly rounds: number
  /** Goes before what is measured. */
  readonly name?: string
}

/** JPEG to unit vector beside the inference alone: what decoding, resizing, threads and batching cost. */
export async function besideBare(bench: BesideBare): Promise<Comparison[]> {
  const { model, bare, pictures, ready, rounds, name } = bench
  const { size } = model.manifest.image
  const length = ready.length / BATCH
  const singles = pictures.map((_, i) => imageTensor(ready.subarray(i * length, (i + 1) * length), size))
  const batch = imageTensor(ready, size)
  const stream = Array.from({ length: STREAM / BATCH }, () => pictures).flat()

  const one = await interleave(
    {
      ours: async () => {
        for (const picture of pictures) await model.encodeImages([picture])
      },
      theirs: async () => {
        for (const tensor of singles) await bare.run(tensor)
      },
    },
    rounds,
  )
  const sixteen = await interleave(
    { ours: () => model.encodeImages(pictures), theirs: () => bare.run(batch) },
    rounds,
  )
  const many = await interleave(
    {
      ours: () => model.encodeImages(stream),
      theirs: async () => {
        for (let i = 0; i < STREAM; i += BATCH) await bare.run(batch)
      },
    },
    Math.ceil(rounds / 2),
  )
  const unit = 'ms a picture'
  const named = (what: string) => (name === undefined ? what : `${name}, ${what}`)
  return [
    compareCost({
      ...one,
      what: named('one by one'),
      beside: `${BARE}, batch 1`,
      items: BATCH,
      unit,
      target: 'at most 1.10',
    }),
    compareCost({
      ...sixteen,
      what: named(`one call of ${BATCH}`),
      beside: `${BARE}, batch ${BATCH}`,
      items: BATCH,
      unit,
      target: 'at most 1.05',
    }),
    compareCost({
      ...many,
      what: named(`one call of ${STREAM}`),
      beside: `${BARE}, ${STREAM / BATCH} times batch ${BATCH}`,
      items: STREAM,
      unit,
      target: 'at most 1.05',
    }),
  ]
}

/** By how much the targets are missed, and why, for a reader who sees the ratios above. */
export function shortfall(comparisons: readonly Comparison[], prepareMs: number): string {
  const missed = comparisons.flatMap(({ what, ratio, target }) => {
    const most = Number(target?.split(' ').at(-1))
    return ratio > most ? [`"${what}" by ${number(ratio - most)} of the bare time`] : []
  })
  if (missed.length === 0) return 'All targets are met.'
  return `Missed: ${missed.join(', ')}. Preparing a picture of 1280x720 keeps one core busy for ${number(prepareMs)} ms, nearly all of it inside libjpeg and libvips, and where inference keeps every core of the machine busy there is no core left to do it beside: the two add up, divided by the cores in a stream. Decoding at half size would spare a quarter of it but moves sharp pictures by more than 1 of 255 (docs/models.md).`
}
