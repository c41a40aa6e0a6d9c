import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { fault, messageOf } from '../errors.ts'
import type { ExecutionProvider } from './providers.ts'
import type { NormalizeSpec } from './tensor.ts'

export interface SessionOptions {
  /** Threads within one operator. Default: the cores, at most four. */
  readonly threads?: number
  /** Where to compute; as given, never another one. Default: cpu. `openModel` finds out what works. */
  readonly provider?: ExecutionProvider
  /** Where TensorRT engines of this model, device and version are kept. */
  readonly engineDir?: string
}

export interface SessionSetup {
  readonly path: string
  readonly threads: number
  readonly provider: ExecutionProvider
  readonly engineDir: string | undefined
}

export type Feed = { readonly name: string; readonly dims: readonly number[] } & (
  | RgbFeed
  | { readonly type: 'float32'; readonly data: Float32Array<ArrayBuffer> }
  | { readonly type: 'int64'; readonly data: BigInt64Array<ArrayBuffer> }
  | { readonly type: 'int32'; readonly data: Int32Array<ArrayBuffer> }
)

/**
 * Prepared pictures one after the other, of which the worker makes the float32 tensor `dims`, [batch, 3, size, size]: a
 * quarter of the bytes cross over, and no arithmetic is left to the caller's thread.
 */
interface RgbFeed extends Pick<NormalizeSpec, 'mean' | 'std'> {
  readonly type: 'rgb'
  readonly data: Uint8Array<ArrayBuffer>
}

export interface RunRequest {
  readonly id: number
  readonly feeds: readonly Feed[]
  readonly output: string
}

export interface RunResult {
  readonly data: Float32Array<ArrayBuffer>
  readonly dims: readonly number[]
}

export interface ValueInfo {
  readonly type?: string
  /** A name stands for a size that varies. */
  readonly dims?: readonly (number | string)[]
}

export interface SessionInfo {
  readonly inputs: Readonly<Record<string, ValueInfo>>
  readonly outputs: Readonly<Record<string, ValueInfo>>
}

export type SessionReply = { readonly id: number } & (
  | { readonly info: SessionInfo }
  | { readonly result: RunResult }
  | { readonly error: string }
)

interface Pending {
  readonly resolve: (reply: SessionReply) => void
  readonly reject: (reason: unknown) => void
}

/** One ONNX file, loaded in a worker thread of its own. */
export class TowerSession {
  readonly info: SessionInfo
  readonly #link: WorkerLink

  private constructor(link: WorkerLink, info: SessionInfo) {
    this.#link = link
    this.info = info
  }

  /**
   * @param onDeath heard once if the thread ends by itself, before the runs that it had are refused
   * @throws MODEL_INVALID when ONNX Runtime cannot load the file, MODEL_FAILED when the thread ends
   */
  static async open(
    path: string,
    options: SessionOptions = {},
    onDeath: () => void = () => undefined,
  ): Promise<TowerSession> {
    const { threads = defaultThreads(), provider = 'cpu', engineDir } = options
    const link = new WorkerLink({ path, threads, provider, engineDir }, onDeath)
    const reply = await link.expect(0)
    if ('info' in reply) return new TowerSession(link, reply.info)
    await link.close()
    throw fault('MODEL_INVALID', `${path} cannot be loaded: ${'error' in reply ? reply.error : 'no answer'}`)
  }

  /**
   * @param feeds their buffers are moved to the worker and must not be used afterwards
   * @throws MODEL_FAILED
   */
  async run(feeds: readonly Feed[], output: string): Promise<RunResult> {
    const reply = await this.#link.request(feeds, output)
    if ('result' in reply) return reply.result
    throw fault('MODEL_FAILED', `inference failed: ${'error' in reply ? reply.error : 'no answer'}`)
  }

  /** Ends the worker after the runs that it was given. */
  close(): Promise<void> {
    return this.#link.close()
  }
}

/** All cores: on two, leaving one to decoding was measured a fifth slower, for single pictures and for streams. */
export function defaultThreads(): number {
  return Math.min(availableParallelism(), 4)
}

class WorkerLink {
  readonly #worker: Worker
  readonly #onDeath: () => void
  readonly #pending = new Map<number, Pending>()
  readonly #exited: Promise<void>
  #lastId = 0
  #failure: unknown

  constructor(setup: SessionSetup, onDeath: () => void) {
    this.#onDeath = onDeath
    this.#worker = new Worker(new URL('./session-worker.js', import.meta.url), { workerData: setup })
    this.#worker.on('message', (reply: SessionReply) => this.#settle(reply))
    this.#worker.on('error', error => this.#fail(error))
    this.#exited = new Promise(resolve => {
      this.#worker.once('exit', code => {
        this.#fail(fault('MODEL_FAILED', `the inference thread has ended (${code})`))
        resolve()
      })
    })
  }

  expect(id: number): Promise<SessionReply> {
    if (this.#failure !== undefined) return Promise.reject(this.#asFault())
    // Work under way keeps the process alive; an idle model does not.
    this.#worker.ref()
    return new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }))
  }

  request(feeds: readonly Feed[], output: string): Promise<SessionReply> {
    const request: RunRequest = { id: ++this.#lastId, feeds, output }
    const reply = this.expect(request.id)
    if (this.#failure === undefined) {
      this.#worker.postMessage(
        request,
        feeds.map(({ data }) => data.buffer),
      )
    }
    return reply
  }

  async close(): Promise<void> {
    this.#failure ??= fault('MODEL_FAILED', 'the model is closed')
    this.#worker.ref()
    this.#worker.postMessage('close')
    await this.#exited
  }

  #settle(reply: SessionReply): void {
    this.#pending.get(reply.id)?.resolve(reply)
    this.#pending.delete(reply.id)
    if (this.#pending.size === 0) this.#worker.unref()
  }

  #fail(error: unknown): void {
    if (this.#failure === undefined) {
      this.#failure = error
      this.#onDeath()
    }
    for (const { reject } of this.#pending.values()) reject(this.#asFault())
    this.#pending.clear()
  }

  #asFault(): unknown {
    return fault('MODEL_FAILED', messageOf(this.#failure), { cause: this.#failure })
  }
}
