import { join } from 'node:path'
import { fault } from '../errors.ts'
import { l2Normalize } from '../vector.ts'
import { type CanaryVectors, canaryPictures } from './canary.ts'
import type { ModelManifest, VariantName } from './model-manifest.ts'
import { preprocessImage, toTensor } from './preprocess.ts'
import type { ExecutionProvider } from './providers.ts'
import { runTrial, type TrialFeed, type TrialOutcome, type TrialResult } from './trial.ts'
import { imageFiles, type TowerFile } from './variants.ts'

/** One file of the image tower on one provider. */
export interface Candidate {
  readonly provider: ExecutionProvider
  readonly precision: ModelManifest['image']['precision']
  /** Relative to the model directory. */
  readonly file: string
  /** Undefined for the manifest's own file. */
  readonly variant?: VariantName
}

/**
 * Dynamic quantisation is slow on GPUs (onnxruntime#10267), and the CPU computes float16 by way of float32.
 */
const SUITED: Readonly<Record<'cpu' | 'gpu', readonly VariantName[]>> = {
  cpu: ['fp32', 'dynamic', 'qdq'],
  gpu: ['fp32', 'fp16', 'qdq'],
}

/** The pairs of provider and file that make sense; where no file suits a provider, the manifest's own. */
export function candidatesOf(manifest: ModelManifest, providers: readonly ExecutionProvider[]): Candidate[] {
  const files = imageFiles(manifest)
  return providers.flatMap(provider => {
    const suited = files.filter(({ kind }) => SUITED[provider === 'cpu' ? 'cpu' : 'gpu'].includes(kind))
    return (suited.length > 0 ? suited : files.slice(0, 1)).map(file => candidateOf(provider, file))
  })
}

export function candidateOf(provider: ExecutionProvider, { precision, file, variant }: TowerFile): Candidate {
  return { provider, precision, file: file.path, ...(variant === undefined ? {} : { variant }) }
}

export interface BenchmarkOptions {
  readonly dir: string
  readonly manifest: ModelManifest
  readonly threads: number
  /** Pictures per run; default 1. */
  readonly batch?: number
  readonly measureMs: number
  readonly timeoutMs?: number
  readonly engineDir?: string
  readonly signal?: AbortSignal
  /** Runs the trial; stands in for the child process in tests. */
  readonly run?: typeof runTrial
}

export type Measurement = { readonly candidate: Candidate } & (
  | {
      readonly ok: true
      /** Of the canary pictures. */
      readonly canary: CanaryVectors
      readonly msPerImage: number
      readonly imagesPerSecond: number
      readonly readyMs: number
      readonly nodes: TrialResult['nodes']
    }
  | { readonly ok: false; readonly reason: string }
)

const TIMEOUT_MS = 2 * 60_000
/** An engine for a large tower takes minutes on a small board. */
const TENSORRT_TIMEOUT_MS = 20 * 60_000

/** Runs the image tower on a candidate, in a process of its own: canaries first, then timed runs. */
export async function measure(candidate: Candidate, options: BenchmarkOptions): Promise<Measurement> {
  const { dir, manifest, threads, measureMs, batch = 1, engineDir, run = runTrial } = options
  const trial = {
    model: join(dir, candidate.file),
    provider: candidate.provider,
    feeds: [await canaryFeed(manifest, Math.max(2, batch))],
    timedFeeds: [await canaryFeed(manifest, batch)],
    output: manifest.image.output,
    measureMs,
    threads,
    ...(engineDir === undefined ? {} : { engineDir }),
  }
  const usualMs = candidate.provider === 'tensorrt' ? TENSORRT_TIMEOUT_MS : TIMEOUT_MS
  const { timeoutMs = usualMs + measureMs, signal } = options
  const outcome = await run(trial, { timeoutMs, ...(signal ? { signal } : {}) })
  const result = judge(outcome, candidate, manifest.dim)
  if (!result.ok) return { candidate, ok: false, reason: result.reason }
  const msPerImage = median(result.runMs) / batch
  return {
    candidate,
    ok: true,
    canary: result.canary,
    msPerImage,
    imagesPerSecond: 1000 / msPerImage,
    readyMs: result.readyMs,
    nodes: result.nodes,
  }
}

type Judged = { ok: false; reason: string } | ({ ok: true; canary: CanaryVectors } & TrialResult)

function judge(outcome: TrialOutcome, { provider }: Candidate, dim: number): Judged {
  if (!outcome.ok) return outcome
  // ONNX Runtime hands what a provider does not take to the CPU without a word.
  const onProvider = provider === 'tensorrt' ? ['tensorrt', 'cuda'] : [provider]
  const taken = onProvider.reduce((sum, name) => sum + (outcome.nodes[name] ?? 0), 0)
  if (taken === 0) return { ok: false, reason: 'every node of this model ran on the CPU instead' }
  if (outcome.data.length < 2 * dim) return { ok: false, reason: `the output is [${outcome.dims}]` }
  try {
    const row = (i: number) => l2Normalize(outcome.data.slice(i * dim, (i + 1) * dim))
    return { ...outcome, canary: { images: [row(0), row(1)] } }
  } catch {
    return { ok: false, reason: 'its embeddings are NaN or zero' }
  }
}

/** The two canary pictures in turn, as the image tower takes them. */
async function canaryFeed(manifest: ModelManifest, batch: number): Promise<TrialFeed> {
  const { image } = manifest
  const length = 3 * image.size * image.size
  const prepared = await Promise.all(canaryPictures().map(picture => preprocessImage(picture, image)))
  const data = new Float32Array(batch * length)
  for (let i = 0; i < batch; i++) {
    toTensor(prepared[i % 2]!.pixels, image, data.subarray(i * length, (i + 1) * length))
  }
  return { name: image.input, dims: [batch, 3, image.size, image.size], data }
}

/** @throws INTERNAL for none: a caller that measured nothing is wrong */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw fault('INTERNAL', 'the median of no values')
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
