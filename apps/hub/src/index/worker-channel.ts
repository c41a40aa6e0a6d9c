import { Worker } from 'node:worker_threads'
import { fault, messageOf } from '@sightline/core'
import type { Answer, WorkerStart } from './segment-worker.ts'

export type SpawnWorker = (start: WorkerStart) => Worker

export const spawnSegmentWorker: SpawnWorker = start =>
  new Worker(new URL('./segment-worker.js', import.meta.url), { workerData: start })

interface Waiting {
  resolve(result: unknown): void
  reject(error: Error): void
}

/** Calls into a worker and their answers. When the worker ends, what it still owes is rejected with NOT_READY. */
export class WorkerChannel {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #exited: Promise<void>
  #calls = 0
  #end: Error | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    worker.on('message', (answer: Answer<unknown>) => this.#settle(answer))
    worker.on('error', cause => this.#ended(messageOf(cause), cause))
    this.#exited = new Promise(resolve => {
      worker.once('exit', code => {
        this.#ended(`exit code ${code}`)
        resolve()
      })
    })
  }

  get open(): boolean {
    return this.#end === undefined
  }

  call<T>(call: unknown): Promise<T> {
    const id = ++this.#calls
    const answer = this.#expect<T>(id)
    if (this.open) this.#worker.postMessage({ id, call })
    return answer
  }

  /** The one answer that a worker gives unasked. */
  only<T>(): Promise<T> {
    return this.#expect<T>(0)
  }

  /**
   * Lets the worker end by itself, after what it is at; what is still asked is rejected. It is never terminated: a thread
   * that is ended inside native code takes the whole process with it.
   */
  async close(): Promise<void> {
    if (this.open) this.#worker.postMessage('close')
    this.#ended('closed')
    await this.#exited
  }

  /** Resolves when the worker has ended. */
  get exited(): Promise<void> {
    return this.#exited
  }

  #expect<T>(id: number): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) return reject(this.#end)
      this.#waiting.set(id, { resolve: result => resolve(result as T), reject })
    })
  }

  #settle(answer: Answer<unknown>): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if ('error' in answer) {
      const { code, message, segment } = answer.error
      waiting?.reject(fault(code, message, segment === undefined ? {} : { details: { segment } }))
    } else waiting?.resolve(answer.result)
  }

  #ended(reason: string, cause?: unknown): void {
    this.#end ??= fault('NOT_READY', `the worker has ended: ${reason}`, { cause })
    for (const { reject } of this.#waiting.values()) reject(this.#end)
    this.#waiting.clear()
  }
}
