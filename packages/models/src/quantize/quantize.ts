import { performance } from 'node:perf_hooks'
import { fault } from '@sightline/core/errors.js'
import { GraphIndex } from '../onnx/graph.ts'
import { type LoadedModel, readModel, writeModel } from '../onnx/model-file.ts'
import { DYNAMIC_OPSET, raiseOpset } from '../onnx/opset.ts'
import { type ModelProto, opsetOf } from '../onnx/proto.ts'
import { IMAGE_OUTPUTS } from '../store/towers.ts'
import { type CalibrationMethod, collectHistograms, rangesOf } from './calibrate.ts'
import { hasExactInt8 } from './cpu.ts'
import { compareDecisions, type TextSide } from './decisions.ts'
import { quantiseDynamic } from './dynamic.ts'
import { foldBatchNorms } from './fold-batchnorm.ts'
import { planInputs } from './inputs.ts'
import { type Layer, type SkippedLayer, surveyLayers } from './layers.ts'
import { type Agreement, compareSpeed, Reference } from './measure.ts'
import type { Progress } from './progress.ts'
import { type QdqTarget, quantiseQdq } from './qdq.ts'
import { planQdq } from './qdq-plan.ts'
import type { KeptInFloat, QuantiseReport } from './report.ts'
import type { SessionSource } from './runtime.ts'
import { loadSamples, type SampleSet, type SampleSource } from './samples.ts'
import { type KeptLayer, type SearchResult, searchLayers } from './sensitivity.ts'
import { WeightStore } from './weights.ts'

export interface QuantiseOptions {
  readonly input: string
  readonly output: string
  readonly mode: 'dynamic' | 'qdq'
  readonly target: QdqTarget
  readonly calibration: CalibrationMethod
  /** For the percentile method, 0..100. */
  readonly percentile: number
  /** Mean cosine to float that must be kept; null takes what comes. */
  readonly minCosine: number | null
  readonly reduceRange: boolean
  /** Quantise convolutions in dynamic mode too. */
  readonly conv: boolean
  /** Names of layers that stay in float; a trailing * matches any ending. */
  readonly keepFloat: readonly string[]
  readonly samples: SampleSource
  readonly sampleCount: number
  readonly searchMs: number
  /** What labels and rules are told by; or why there is none. */
  readonly textSide?: TextSide | { readonly missing: string }
  /** Undefined: weights move to a side file when one protobuf cannot hold them. */
  readonly external?: boolean
}

/** Samples that rank layers; the final figures use all. */
const QUICK_SAMPLES = 8

/**
 * Quantises one model file.
 * @throws QUANTISE_*: see the error table
 */
export async function quantiseFile(options: QuantiseOptions, progress: Progress): Promise<QuantiseReport> {
  const started = performance.now()
  const loaded = await readModel(options.input)
  const job = await prepare(loaded, options, progress)
  const result = await choose(job, options, progress)
  if (options.minCosine !== null && result.agreement && !result.reached) {
    throw fault(
      'QUANTISE_TARGET_UNREACHABLE',
      `mean cosine ${result.agreement.mean.toFixed(5)} with ${result.kept.length} of ${job.layers.length} layers in float; the target is ${options.minCosine}`,
      { details: { agreement: result.agreement, keptInFloat: result.kept.map(({ layer }) => layer.id) } },
    )
  }
  const model = labelled(result.model, options)
  const bytesAfter = await writeModel(
    { model, dir: loaded.dir },
    options.output,
    options.external === undefined ? {} : { external: options.external },
  )
  const decisions = await decisionsOf(result.reference, { model, dir: loaded.dir }, options)
  const first = job.samples.measuring[0]
  if (first) progress.start('measure speed', 0)
  const float = { model: loaded.model, dir: loaded.dir }
  const speed = first ? await compareSpeed(float, { model, dir: loaded.dir }, first) : null
  return {
    input: options.input,
    output: options.output,
    mode: options.mode,
    target: options.target,
    calibration: options.mode === 'qdq' ? methodName(options) : null,
    opset: opsetOf(model),
    bytesBefore: loaded.bytes,
    bytesAfter,
    layersQuantised: job.layers.length - result.kept.length,
    keptInFloat: [...result.kept.map(entry => keptEntry(entry, options)), ...job.skipped],
    minCosine: options.minCosine,
    agreement: result.agreement,
    decisions,
    speed,
    samples: {
      calibration: job.samples.calibration.length,
      measuring: job.samples.measuring.length,
      unreadable: job.samples.unreadable,
    },
    warnings: warningsOf(options),
    seconds: (performance.now() - started) / 1000,
  }
}

interface Job {
  readonly model: ModelProto
  readonly dir: string
  readonly layers: readonly Layer[]
  readonly skipped: readonly KeptInFloat[]
  readonly samples: SampleSet
  build(layers: readonly Layer[]): Promise<ModelProto>
}

async function prepare(loaded: LoadedModel, options: QuantiseOptions, progress: Progress): Promise<Job> {
  const { dir } = loaded
  // First of all: an already quantised model must hear that, not that its opset is old.
  surveyLayers(new GraphIndex(loaded.model))
  const model = options.mode === 'qdq' ? await readyForQdq(loaded.model, dir) : loaded.model
  if (opsetOf(model) < DYNAMIC_OPSET) {
    throw fault('QUANTISE_OPSET', `the model uses opset ${opsetOf(model)}; DynamicQuantizeLinear needs 11`)
  }
  const index = new GraphIndex(model)
  const wanted = wantedLayers(surveyLayers(index), options)
  const samples = await samplesFor(index, options)
  const weights = new WeightStore({ dir, reduceRange: options.reduceRange })
  if (options.mode === 'dynamic') {
    const build = (layers: readonly Layer[]) => quantiseDynamic({ model, index, layers, weights })
    return { model, dir, ...wanted, samples, build }
  }
  if (samples.calibration.length === 0) {
    throw fault('QUANTISE_NO_SAMPLES', 'static quantisation needs samples to calibrate on')
  }
  const tensors = [...planQdq(index, wanted.layers).tensors]
  const histograms = await collectHistograms(
    { source: { model, dir }, index, tensors, samples: samples.calibration },
    progress,
  )
  const ranges = rangesOf(histograms, options.calibration, options.percentile)
  const build = (layers: readonly Layer[]) =>
    quantiseQdq({ model, index, layers, weights, ranges, target: options.target })
  return { model, dir, ...wanted, samples, build }
}

async function readyForQdq(model: ModelProto, dir: string): Promise<ModelProto> {
  const raised = raiseOpset(model, new GraphIndex(model))
  return foldBatchNorms(raised, dir)
}

async function samplesFor(index: GraphIndex, options: QuantiseOptions): Promise<SampleSet> {
  const none: SampleSet = { calibration: [], measuring: [], unreadable: 0 }
  if (!options.samples.pictures && !options.samples.texts) return none
  return loadSamples(planInputs(index), options.samples, options.sampleCount)
}

async function choose(job: Job, options: QuantiseOptions, progress: Progress): Promise<Choice> {
  const { measuring } = job.samples
  if (measuring.length === 0) {
    const model = await job.build(job.layers)
    return { model, agreement: null, kept: [], reached: true, reference: undefined }
  }
  progress.start('run the float model', 0)
  const reference = await Reference.of({ model: job.model, dir: job.dir }, measuring)
  const found = await searchLayers(
    {
      layers: job.layers,
      build: job.build,
      compare: (model, quick) =>
        reference.compare(
          { model, dir: job.dir },
          quick ? Math.min(QUICK_SAMPLES, measuring.length) : undefined,
        ),
      minCosine: options.minCosine ?? -1,
      budgetMs: options.searchMs,
      now: () => performance.now(),
    },
    progress,
  )
  return { ...found, reference }
}

type Choice = Omit<SearchResult, 'agreement'> &
  ({ agreement: null; reference: undefined } | { agreement: Agreement; reference: Reference })

/** Whether pictures are taken for the same things, or why that could not be found out. */
async function decisionsOf(
  reference: Reference | undefined,
  quantised: SessionSource,
  { textSide, samples }: QuantiseOptions,
): Promise<QuantiseReport['decisions']> {
  if (!samples.pictures || reference === undefined)
    return { notMeasured: 'labels and rules are about pictures (--calibrate)' }
  if (textSide === undefined || 'missing' in textSide)
    return { notMeasured: textSide?.missing ?? 'there is no text tower' }
  const vectors = await reference.vectors(quantised, IMAGE_OUTPUTS)
  const length = vectors?.float[0]?.length
  if (vectors === undefined || length !== textSide.dim) {
    const found = vectors === undefined ? 'several outputs' : `${length} values a picture`
    return {
      notMeasured: `the model gives ${found}, the text tower of ${textSide.fingerprint} ${textSide.dim}`,
    }
  }
  return compareDecisions(textSide, vectors.float, vectors.variant)
}

function wantedLayers(
  survey: { readonly layers: readonly Layer[]; readonly skipped: readonly SkippedLayer[] },
  options: QuantiseOptions,
): Pick<Job, 'layers' | 'skipped'> {
  const skipped: KeptInFloat[] = survey.skipped.map(({ id, op, reason }) => ({
    layer: id,
    op,
    bytes: 0,
    reason,
  }))
  const layers: Layer[] = []
  for (const layer of survey.layers) {
    const named = options.keepFloat.some(pattern => matches(pattern, layer.id))
    const conv = options.mode === 'dynamic' && layer.kind === 'conv' && !options.conv
    if (!named && !conv) layers.push(layer)
    else
      skipped.push(
        entryOf(layer, named ? 'named by --keep-float' : 'convolutions stay in float in dynamic mode'),
      )
  }
  if (layers.length === 0) {
    throw fault('QUANTISE_NOTHING', `every layer stays in float: ${skipped[0]?.reason ?? 'none was found'}`)
  }
  return { layers, skipped }
}

const matches = (pattern: string, id: string): boolean =>
  pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : pattern === id

function entryOf(layer: Layer, reason: string): KeptInFloat {
  return { layer: layer.id, op: layer.node.opType ?? '', bytes: layer.elements * 4, reason }
}

function keptEntry({ layer, cosineAlone }: KeptLayer, options: QuantiseOptions): KeptInFloat {
  const alone =
    cosineAlone === null ? 'not measured alone' : `cosine ${cosineAlone.toFixed(5)} when int8 alone`
  return entryOf(layer, `${alone}; needed to reach ${options.minCosine}`)
}

/** Says in the file itself what was done to it. */
function labelled(model: ModelProto, options: QuantiseOptions): ModelProto {
  const value = options.mode === 'qdq' ? `qdq ${options.target} ${methodName(options)}` : 'dynamic'
  const others = (model.metadataProps ?? []).filter(({ key }) => key !== 'sightline.quantization')
  return { ...model, metadataProps: [...others, { key: 'sightline.quantization', value }] }
}

const methodName = (options: QuantiseOptions): string =>
  options.calibration === 'percentile' ? `percentile ${options.percentile}` : options.calibration

function warningsOf(options: QuantiseOptions): string[] {
  if (options.reduceRange || hasExactInt8() !== false) return []
  return [
    'this CPU has no VNNI: its int8 sums may saturate, which the figures above include; compare with --reduce-range',
  ]
}
