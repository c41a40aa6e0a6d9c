import { parentPort, workerData } from 'node:worker_threads'
import { env, InferenceSession, Tensor } from 'onnxruntime-node'
import type { RunRequest, SessionInfo, SessionReply, SessionSetup } from './session.ts'

/**
 * Holds one ONNX Runtime session. The Node binding computes on the thread that calls it, so a session on the main
 * thread would stop its event loop for the length of a batch.
 */
const port = parentPort!
const { path, threads, providers } = workerData as SessionSetup
// Errors reach us as exceptions; the runtime's own lines on stderr would break structured logs.
env.logLevel = 'fatal'

async function open(): Promise<InferenceSession> {
  return InferenceSession.create(path, {
    executionProviders: [...providers],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 4,
    // Waiting threads sleep instead of spinning, or an idle agent would burn its cores.
    extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
  })
}

async function answer(session: InferenceSession, { id, feeds, output }: RunRequest): Promise<void> {
  try {
    const tensors = Object.fromEntries(
      feeds.map(({ name, type, data, dims }) => [name, new Tensor(type, data, [...dims])]),
    )
    const results = await session.run(tensors, [output])
    const result = results[output]!
    const data = new Float32Array(result.data as Float32Array)
    const dims = [...result.dims]
    result.dispose()
    reply({ id, result: { data, dims } }, [data.buffer])
  } catch (error) {
    reply({ id, error: messageOf(error) })
  }
}

function reply(message: SessionReply, transfer: ArrayBuffer[] = []): void {
  port.postMessage(message, transfer)
}

async function finish(session: InferenceSession): Promise<void> {
  await session.release().catch(() => undefined)
  port.close()
}

/** The first line: the rest of ONNX Runtime's messages are build paths. */
function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!
}

function describe(session: InferenceSession): SessionInfo {
  const shapes = (metadata: readonly InferenceSession.ValueMetadata[]) =>
    Object.fromEntries(
      metadata.map(value => [value.name, value.isTensor ? { type: value.type, dims: [...value.shape] } : {}]),
    )
  return { inputs: shapes(session.inputMetadata), outputs: shapes(session.outputMetadata) }
}

try {
  const session = await open()
  // One after the other: a release must not overtake a run that is still to start.
  let last = Promise.resolve()
  port.on('message', (message: RunRequest | 'close') => {
    last = last.then(() => (message === 'close' ? finish(session) : answer(session, message)))
  })
  reply({ id: 0, info: describe(session) })
} catch (error) {
  reply({ id: 0, error: messageOf(error) })
  port.once('message', () => port.close())
}
