import { parentPort, workerData } from 'node:worker_threads'
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import { openOrtSession } from './ort-session.ts'
import type { Feed, RunRequest, SessionInfo, SessionReply, SessionSetup } from './session.ts'
import { toTensor } from './tensor.ts'

/**
 * Holds one ONNX Runtime session. The Node binding computes on the thread that calls it, so a session on the main
 * thread would stop its event loop for the length of a batch.
 */
const port = parentPort!
const { path, threads, provider, engineDir } = workerData as SessionSetup

async function open(): Promise<InferenceSession> {
  const engines = engineDir === undefined ? {} : { engineDir }
  return openOrtSession({ model: path, threads, provider, ...engines })
}

async function answer(session: InferenceSession, { id, feeds, output }: RunRequest): Promise<void> {
  try {
    const tensors = Object.fromEntries(feeds.map(feed => [feed.name, tensorOf(feed)]))
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

/** Kept from run to run: fresh memory of this size costs more than filling it. */
let planes = new Float32Array(0)

function tensorOf(feed: Feed): Tensor {
  const { data, dims } = feed
  if (feed.type !== 'rgb') return new Tensor(feed.type, data, [...dims])
  const size = dims[2]!
  const length = 3 * size * size
  if (planes.length < feed.data.length) planes = new Float32Array(feed.data.length)
  for (let from = 0; from < feed.data.length; from += length) {
    const end = from + length
    toTensor(feed.data.subarray(from, end), { ...feed, size }, planes.subarray(from, end))
  }
  return new Tensor('float32', planes.subarray(0, feed.data.length), [...dims])
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
