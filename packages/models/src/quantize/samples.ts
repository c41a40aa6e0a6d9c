import { fault } from '@sightline/core/errors.js'
import ort from 'onnxruntime-node'
import type { InputPlan, TextInput } from './inputs.ts'
import { listPictures, loadPicture, type PictureSettings, spread } from './pictures.ts'
import type { Feeds } from './runtime.ts'
import { readTexts, type TextSettings, tokenise } from './texts.ts'

export interface SampleSource {
  readonly pictures?: { readonly dir: string; readonly settings: PictureSettings }
  readonly texts?: { readonly file: string; readonly settings: TextSettings }
}

export interface SampleSet {
  /** What the ranges of activations are taken from. */
  readonly calibration: readonly Feeds[]
  /** What accuracy is measured on; other samples than the calibration's where there are enough. */
  readonly measuring: readonly Feeds[]
  readonly unreadable: number
}

/** Every so many-th sample measures, the others calibrate. */
const MEASURE_EVERY = 4

/**
 * Samples for a model, or an empty set when no source is given.
 * @throws QUANTISE_NO_SAMPLES when a source is there but holds nothing the model can be fed
 */
export async function loadSamples(plan: InputPlan, source: SampleSource, count: number): Promise<SampleSet> {
  const parts: Record<string, ort.Tensor>[][] = []
  let unreadable = 0
  if (plan.picture) {
    if (!source.pictures) return { calibration: [], measuring: [], unreadable }
    const { dir, settings } = source.pictures
    const files = spread(await listPictures(dir), count)
    const feeds: Record<string, ort.Tensor>[] = []
    for (const file of files) {
      const planes = await loadPicture(file, settings)
      if (!planes) unreadable++
      else
        feeds.push({
          [plan.picture.name]: new ort.Tensor('float32', planes, [1, 3, settings.size, settings.size]),
        })
    }
    if (feeds.length === 0) {
      const found = unreadable > 0 ? `${unreadable} files, none of them a readable picture` : 'no picture'
      throw fault('QUANTISE_NO_SAMPLES', `${dir} holds ${found}`)
    }
    parts.push(feeds)
  }
  if (plan.text) {
    if (!source.texts) return { calibration: [], measuring: [], unreadable }
    const lines = spread(await readTexts(source.texts.file), count)
    if (lines.length === 0) throw fault('QUANTISE_NO_SAMPLES', `${source.texts.file} holds no sentence`)
    const tokens = await tokenise(lines, source.texts.settings)
    parts.push(tokens.map(entry => textFeeds(plan.text!, entry)))
  }
  return { ...divide(combine(parts)), unreadable }
}

function textFeeds(
  input: TextInput,
  { ids, mask }: { ids: number[]; mask: number[] },
): Record<string, ort.Tensor> {
  const tensor = (values: readonly number[]) =>
    input.idType === 'int64'
      ? new ort.Tensor('int64', BigInt64Array.from(values, BigInt), [1, values.length])
      : new ort.Tensor('int32', Int32Array.from(values), [1, values.length])
  return {
    [input.ids]: tensor(ids),
    ...(input.mask ? { [input.mask]: tensor(mask) } : {}),
    ...(input.types ? { [input.types]: tensor(ids.map(() => 0)) } : {}),
    ...(input.positions ? { [input.positions]: tensor(ids.map((_, at) => at)) } : {}),
  }
}

/** A model with both towers in one file takes a picture and a sentence at once; the shorter list repeats. */
function combine(parts: readonly Record<string, ort.Tensor>[][]): Feeds[] {
  const length = Math.max(0, ...parts.map(part => part.length))
  return Array.from(
    { length },
    (_, at) => Object.assign({}, ...parts.map(part => part[at % part.length])) as Feeds,
  )
}

function divide(feeds: readonly Feeds[]): Pick<SampleSet, 'calibration' | 'measuring'> {
  if (feeds.length < MEASURE_EVERY) return { calibration: feeds, measuring: feeds }
  return {
    calibration: feeds.filter((_, at) => at % MEASURE_EVERY !== MEASURE_EVERY - 1),
    measuring: feeds.filter((_, at) => at % MEASURE_EVERY === MEASURE_EVERY - 1),
  }
}
