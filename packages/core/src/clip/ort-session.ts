import { mkdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { env, InferenceSession } from 'onnxruntime-node'
import type { ExecutionProvider } from './providers.ts'

export interface OrtSetup {
  /** Path of an ONNX file, or its bytes. */
  readonly model: string | Uint8Array
  readonly provider: ExecutionProvider
  readonly threads: number
  /** Refuse when any node would compute on the CPU instead. */
  readonly strict?: boolean
  /** Where TensorRT engines of this model, device and version are kept. */
  readonly engineDir?: string
  /** Write an engine there when there is none. */
  readonly buildEngine?: boolean
  /** Prefix of a file to which every node's time and provider are written until `endProfiling`. */
  readonly profile?: string
}

/** How long a thread that has nothing to do looks out for work before it sleeps, in microseconds. */
export const SPIN_US = 30

/** What a provider cannot compute goes to the next one; ONNX Runtime itself puts the CPU at the end. */
const CHAINS: Readonly<Record<ExecutionProvider, readonly ExecutionProvider[]>> = {
  tensorrt: ['tensorrt', 'cuda'],
  cuda: ['cuda'],
  webgpu: ['webgpu'],
  cpu: ['cpu'],
}

/** Opens a session on one provider, in the thread that calls. @throws what ONNX Runtime says */
export async function openOrtSession(setup: OrtSetup): Promise<InferenceSession> {
  // Errors reach us as exceptions; the runtime's own lines on stderr would break structured logs.
  env.logLevel = 'fatal'
  const { model, provider, engineDir } = setup
  const engine = provider === 'tensorrt' && typeof model === 'string' && engineDir !== undefined
  if (!engine) return create(model, setup, {})
  const path = engineFile(engineDir, model)
  try {
    return await create(path, setup, {})
  } catch {
    // None yet, or one that this TensorRT does not take; the model itself always works.
  }
  if (!setup.buildEngine) return create(model, setup, {})
  await rm(path, { force: true })
  await rm(partialOf(path), { force: true })
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  // The Node binding passes no provider options but the device, so the engine is kept as an EP context model, which
  // session options can ask for (onnxruntime.ai, EP Context Cache Feature Design).
  return create(model, setup, {
    context_enable: '1',
    context_embed_mode: '1',
    context_file_path: partialOf(path),
  })
}

/** Takes a finished engine into use; call after the first run, when engines for sizes that vary are complete. */
export async function keepEngine({ model, provider, engineDir }: OrtSetup): Promise<void> {
  if (provider !== 'tensorrt' || engineDir === undefined || typeof model !== 'string') return
  const path = engineFile(engineDir, model)
  await rename(partialOf(path), path).catch(() => {})
}

/** The file that holds a model's TensorRT engine. */
export function engineFile(engineDir: string, modelPath: string): string {
  // With the folder: towers may lie in image/model.onnx and text/model.onnx.
  return join(engineDir, `${basename(dirname(modelPath))}-${basename(modelPath, '.onnx')}.engine.onnx`)
}

function partialOf(path: string): string {
  return `${path}.part`
}

function create(
  model: string | Uint8Array,
  { provider, threads, strict, profile }: OrtSetup,
  context: Record<string, string>,
): Promise<InferenceSession> {
  const options: InferenceSession.SessionOptions = {
    executionProviders: [...CHAINS[provider]],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: profile }),
    extra: {
      session: {
        // Long enough to bridge the gaps between the operators of one run (a sixth faster at batch 1 on two cores), too
        // short to be noticed between runs: unbounded, an idle agent would burn its cores.
        intra_op: { allow_spinning: '1', spin_duration_us: String(SPIN_US) },
        inter_op: { allow_spinning: '0' },
        ...(strict ? { disable_cpu_ep_fallback: '1' } : {}),
      },
      ...(Object.keys(context).length > 0 ? { ep: context } : {}),
    },
  }
  return typeof model === 'string'
    ? InferenceSession.create(model, options)
    : InferenceSession.create(model, options)
}
