import { fault, messageOf } from '@sightline/core/errors.js'
import ort from 'onnxruntime-node'
import { encodeModel, type ModelProto } from '../onnx/proto.ts'

export type Feeds = Readonly<Record<string, ort.Tensor>>
export type Session = ort.InferenceSession

export interface SessionSource {
  readonly model: ModelProto
  /** Folder of external weights that the model still refers to. */
  readonly dir: string
}

/**
 * Opens a model from memory. External weights are read from the source's folder, which ONNX Runtime must be told: it
 * refuses absolute paths, links and paths that leave the model's folder.
 * @throws QUANTISE_UNSUPPORTED when ONNX Runtime cannot load the model
 */
export async function openSession({ model, dir }: SessionSource, threads = 0): Promise<Session> {
  try {
    return await ort.InferenceSession.create(encodeModel(model), {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      ...(threads > 0 ? { intraOpNumThreads: threads } : {}),
      extra: { session: { model_external_initializers_file_folder_path: dir } },
    })
  } catch (cause) {
    throw fault('QUANTISE_UNSUPPORTED', `ONNX Runtime cannot load the model: ${messageOf(cause)}`, { cause })
  }
}

/** Opens, uses and always releases a session. */
export async function withSession<T>(
  source: SessionSource,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(source)
  try {
    return await use(session)
  } finally {
    await session.release()
  }
}

/**
 * The float32 outputs of one run, copied: ONNX Runtime may reuse the memory.
 * @throws QUANTISE_UNSUPPORTED when the run fails
 */
export async function runFloats(
  session: Session,
  feeds: Feeds,
  names?: readonly string[],
): Promise<Map<string, Float32Array>> {
  let results: ort.InferenceSession.ReturnType
  try {
    results = names ? await session.run(feeds, [...names]) : await session.run(feeds)
  } catch (cause) {
    throw fault('QUANTISE_UNSUPPORTED', `the model does not run on the samples: ${messageOf(cause)}`, {
      cause,
    })
  }
  const outputs = new Map<string, Float32Array>()
  for (const [name, tensor] of Object.entries(results)) {
    if (tensor.type === 'float32') outputs.set(name, Float32Array.from(tensor.data as Float32Array))
    tensor.dispose()
  }
  return outputs
}
