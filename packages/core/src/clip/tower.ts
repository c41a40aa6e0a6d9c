import { type Clock, systemClock } from '../clock.ts'
import { fault, isFault, type SightlineError } from '../errors.ts'
import { l2Normalize } from '../vector.ts'
import { type Feed, type RunResult, type SessionOptions, TowerSession } from './session.ts'

export interface TowerSpec {
  readonly path: string
  readonly dim: number
  /** Names of the tensors that the tower must take. */
  readonly inputs: readonly string[]
  /** Name of the tensor that holds the embeddings, [batch, dim]. */
  readonly output: string
}

export interface TowerOptions extends SessionOptions {
  readonly clock?: Clock
}

/** A thread that ends this often within this time has a cause that another start does not remove. */
const MAX_DEATHS = 3
const DEATHS_WITHIN_MS = 10 * 60_000

/**
 * One half of the dual encoder: feeds in, unit vectors out. The session is opened at the first use, and again at the next
 * use after its thread has died; what it was running then fails with MODEL_FAILED.
 */
export class Tower {
  readonly #spec: TowerSpec
  readonly #options: SessionOptions
  readonly #clock: Clock
  /** When the thread died, in monotonic milliseconds; the latest few. */
  #recentDeaths: number[] = []
  #deaths = 0
  #session: Promise<TowerSession> | undefined

  constructor(spec: TowerSpec, options: TowerOptions) {
    this.#spec = spec
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  /** How often the inference thread ended by itself. */
  get deaths(): number {
    return this.#deaths
  }

  /** Opens the session ahead of the first use. @throws MODEL_INVALID, MODEL_FAILED */
  async open(): Promise<void> {
    await this.#opened()
  }

  /**
   * @returns per item its unit vector of `dim`, or MODEL_OUTPUT_INVALID where a vector has no direction
   * @throws MODEL_INVALID, MODEL_FAILED, MODEL_OUTPUT_INVALID when the whole output has the wrong shape
   */
  async embed(feeds: readonly Feed[], batch: number): Promise<(Float32Array | SightlineError)[]> {
    const session = await this.#opened()
    const { data, dims } = await session.run(feeds, this.#spec.output)
    const { dim, path } = this.#spec
    if (dims.length !== 2 || dims[0] !== batch || dims[1] !== dim) {
      throw fault('MODEL_OUTPUT_INVALID', `${path} returned [${dims}], not [${batch}, ${dim}]`)
    }
    return Array.from({ length: batch }, (_, i) => unitRow(data, i, dim))
  }

  async close(): Promise<void> {
    const session = await this.#session?.catch(() => undefined)
    await session?.close()
  }

  #opened(): Promise<TowerSession> {
    if (this.#session === undefined) {
      const since = this.#clock.monotonic() - DEATHS_WITHIN_MS
      this.#recentDeaths = this.#recentDeaths.filter(at => at > since)
      if (this.#recentDeaths.length >= MAX_DEATHS) return Promise.reject(this.#givenUp())
      const opening = this.#openAndCheck()
      this.#session = opening
      // A failure is not kept: the file may have been put right since.
      opening.catch(() => {
        if (this.#session === opening) this.#session = undefined
      })
    }
    return this.#session
  }

  #givenUp(): SightlineError {
    const minutes = DEATHS_WITHIN_MS / 60_000
    return fault(
      'MODEL_FAILED',
      `the inference thread of ${this.#spec.path} ended ${MAX_DEATHS} times within ${minutes} minutes`,
    )
  }

  async #openAndCheck(): Promise<TowerSession> {
    const { path, dim, inputs, output } = this.#spec
    const session = await TowerSession.open(path, this.#options, () => {
      this.#deaths++
      this.#recentDeaths.push(this.#clock.monotonic())
      this.#session = undefined
    })
    const { info } = session
    const faults = inputs.filter(name => info.inputs[name] === undefined).map(name => `no input ${name}`)
    const extra = Object.keys(info.inputs).filter(name => !inputs.includes(name))
    faults.push(...extra.map(name => `input ${name} is not in the manifest`))
    const result = info.outputs[output]
    const width = result?.dims?.at(-1)
    if (result === undefined) faults.push(`no output ${output}`)
    else if (result.type !== 'float32') faults.push(`output ${output} is ${result.type}, not float32`)
    else if (typeof width === 'number' && width !== dim)
      faults.push(`output ${output} has ${width} values, not ${dim}`)
    if (faults.length === 0) return session
    await session.close()
    throw fault('MODEL_INVALID', `${path} is not as its manifest says: ${faults.join('; ')}`, {
      details: { faults },
    })
  }
}

function unitRow(data: RunResult['data'], row: number, dim: number): Float32Array | SightlineError {
  try {
    return l2Normalize(data.slice(row * dim, (row + 1) * dim))
  } catch (error) {
    if (isFault(error)) return error
    throw error
  }
}
