import { dirname, join } from 'node:path'
import { isFault, messageOf } from '@sightline/core/errors.js'
import { Command, InvalidArgumentError, Option } from 'commander'
import { loadTextSide, type TextSide } from '../quantize/decisions.ts'
import type { PictureSettings } from '../quantize/pictures.ts'
import type { QuantiseOptions } from '../quantize/quantize.ts'
import { reportText } from '../quantize/report.ts'
import type { SampleSource } from '../quantize/samples.ts'
import type { TextSettings } from '../quantize/texts.ts'
import { type ModelDefaults, readModelDefaults } from './model-defaults.ts'
import { ProgressLines } from './progress-lines.ts'

interface Flags {
  readonly mode: 'dynamic' | 'qdq'
  readonly output: string
  readonly target: 'cpu' | 'tensorrt'
  readonly calibrate?: string
  readonly texts?: string
  readonly calibration: 'minmax' | 'percentile' | 'entropy'
  readonly percentile: number
  readonly minCosine: number | false
  readonly samples: number
  readonly searchSeconds: number
  readonly reduceRange: boolean
  readonly conv: boolean
  readonly keepFloat: readonly string[]
  readonly externalData?: boolean
  readonly modelDir?: string
  readonly textModel?: string
  readonly size?: number
  readonly resize?: 'crop' | 'squash'
  readonly mean?: readonly number[]
  readonly std?: readonly number[]
  readonly tokenizer?: string
  readonly contextLength?: number
  readonly padTo?: 'contextLength' | 'longest'
  readonly padId?: number
  readonly json: boolean
}

const NOTES = `
Modes:
  dynamic  weights int8, activations quantised as they come. No calibration. For CPUs and transformers: text towers, ViT.
  qdq      static: activations calibrated on pictures (--calibrate) or sentences (--texts). For CPUs, convolutional
           networks, CUDA and TensorRT (--target tensorrt: symmetric int8 activations, float bias).

With samples at hand the result is measured against the float model; layers that cost most accuracy stay in float until
the mean cosine reaches --min-cosine. A quarter of the samples is kept apart for measuring.

x64 CPUs without VNNI sum u8 x s8 products in 16 bits and may saturate; --reduce-range keeps weights to 7 bits and is exact
there. With VNNI, AMX or Arm it only costs accuracy.

Preprocessing comes from --model-dir (manifest.json); the flags override it. Without both: CLIP's mean and std, crop.`

/** `sightline-models quantize`. */
export function quantizeCommand(): Command {
  return new Command('quantize')
    .description('turn a float32 ONNX model into int8')
    .argument('<model>', 'float32 ONNX file')
    .requiredOption('-o, --output <file>', 'int8 ONNX file to write')
    .addOption(new Option('-m, --mode <mode>').choices(['dynamic', 'qdq']).default('dynamic'))
    .addOption(
      new Option('--target <target>', 'who runs a qdq model').choices(['cpu', 'tensorrt']).default('cpu'),
    )
    .option('--calibrate <dir>', 'pictures (JPEG, PNG, WebP) to calibrate and measure on')
    .option(
      '--texts <file>',
      'sentences, one per line, to calibrate and measure on; for an image tower: labels to tell pictures apart by',
    )
    .option(
      '--text-model <dir>',
      'model directory whose text tower embeds labels and rules; default: --model-dir, or the folder of the model',
    )
    .addOption(
      new Option('--calibration <method>').choices(['minmax', 'percentile', 'entropy']).default('percentile'),
    )
    .option('--percentile <p>', 'for --calibration percentile', number, 99.999)
    .option('--min-cosine <value>', 'mean cosine to float that must be kept', number, 0.99)
    .option('--no-min-cosine', 'quantise every layer, whatever it costs')
    .option('--samples <count>', 'samples to use', count, 128)
    .option('--search-seconds <seconds>', 'time for finding layers to keep in float', number, 300)
    .option('--reduce-range', '7-bit weights, for x64 without VNNI', false)
    .option('--conv', 'dynamic mode: ConvInteger for convolutions (seldom faster)', false)
    .option('--keep-float <names...>', 'layers to keep in float; NAME* matches a prefix', [])
    .option('--external-data', 'write the weights to OUTPUT.data')
    .option('--no-external-data', 'keep the weights in the file')
    .option('--model-dir <dir>', 'model directory whose manifest.json says how to preprocess')
    .option('--size <pixels>', 'side of the picture', count)
    .addOption(new Option('--resize <how>').choices(['crop', 'squash']))
    .option('--mean <r,g,b>', 'of values in 0..1', triple)
    .option('--std <r,g,b>', 'of values in 0..1', triple)
    .option('--tokenizer <file>', 'tokenizer.json; tokenizer_config.json must lie beside it')
    .option('--context-length <tokens>', 'longest sequence', count)
    .addOption(new Option('--pad-to <how>').choices(['contextLength', 'longest']))
    .option('--pad-id <id>', 'token id to pad with', number)
    .option('--json', 'print the report as JSON', false)
    .addHelpText('after', NOTES)
    .action(async (model: string, flags: Flags) => {
      // Loaded here, because ONNX Runtime takes half a second that --help and the other commands need not wait for.
      const { quantiseFile } = await import('../quantize/quantize.ts')
      const progress = new ProgressLines()
      try {
        const report = await quantiseFile(await optionsOf(model, flags), progress)
        progress.end()
        console.log(flags.json ? JSON.stringify(report, null, 2) : reportText(report))
      } finally {
        progress.end()
      }
    })
}

async function optionsOf(input: string, flags: Flags): Promise<QuantiseOptions> {
  const defaults = await readModelDefaults(input, flags.modelDir)
  return {
    input,
    output: flags.output,
    mode: flags.mode,
    target: flags.target,
    calibration: flags.calibration,
    percentile: flags.percentile,
    minCosine: flags.minCosine === false ? null : flags.minCosine,
    reduceRange: flags.reduceRange,
    conv: flags.conv,
    keepFloat: flags.keepFloat,
    samples: sampleSource(input, flags, defaults),
    textSide: await textSideOf(input, flags),
    sampleCount: flags.samples,
    searchMs: flags.searchSeconds * 1000,
    ...(flags.externalData === undefined ? {} : { external: flags.externalData }),
  }
}

/** A text tower that was named must do; one that happens to lie there may. */
async function textSideOf(input: string, flags: Flags): Promise<TextSide | { missing: string }> {
  if (flags.calibrate === undefined) return { missing: 'labels and rules are about pictures (--calibrate)' }
  if (flags.textModel !== undefined) return loadTextSide(flags.textModel, flags.texts)
  const dir = flags.modelDir ?? dirname(input)
  try {
    return await loadTextSide(dir, flags.texts)
  } catch (error) {
    if (isFault(error, 'QUANTISE_NO_SAMPLES')) throw error
    const reason = isFault(error, 'MODEL_MISSING') ? `no model with a text tower in ${dir}` : messageOf(error)
    return { missing: `${reason}; give --text-model` }
  }
}

function sampleSource(input: string, flags: Flags, defaults: ModelDefaults): SampleSource {
  const picture: PictureSettings = {
    size: flags.size ?? defaults.picture.size,
    resize: flags.resize ?? defaults.picture.resize,
    mean: flags.mean ?? defaults.picture.mean,
    std: flags.std ?? defaults.picture.std,
  }
  const tokenizerPath =
    flags.tokenizer ?? defaults.text.tokenizerPath ?? join(dirname(input), 'tokenizer.json')
  const text: TextSettings = {
    tokenizerPath,
    tokenizerConfigPath:
      (flags.tokenizer ? undefined : defaults.text.tokenizerConfigPath) ??
      join(dirname(tokenizerPath), 'tokenizer_config.json'),
    contextLength: flags.contextLength ?? defaults.text.contextLength,
    padTo: flags.padTo ?? defaults.text.padTo,
    padId: flags.padId ?? defaults.text.padId,
    clean: defaults.text.clean,
  }
  return {
    ...(flags.calibrate === undefined ? {} : { pictures: { dir: flags.calibrate, settings: picture } }),
    ...(flags.texts === undefined ? {} : { texts: { file: flags.texts, settings: text } }),
  }
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('not a number')
  return value
}

function count(text: string): number {
  const value = number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('not a whole number from 1 on')
  return value
}

function triple(text: string): number[] {
  const values = text.split(',').map(number)
  if (values.length !== 3) throw new InvalidArgumentError('three numbers, as in 0.48,0.46,0.41')
  return values
}
