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

/** One half of the dual encoder: feeds in, unit vectors out. The session is opened at the first use. */
export class Tower {
  readonly #spec: TowerSpec
  readonly #options: SessionOptions
  #session: Promise<TowerSession> | undefined

  constructor(spec: TowerSpec, options: SessionOptions) {
    this.#spec = spec
    this.#options = options
  }

  /** Opens the session ahead of the first use. @throws MODEL_INVALID */
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
      const opening = this.#openAndCheck()
      this.#session = opening
      // A failure is not kept: the file may have been put right since.
      opening.catch(() => {
        this.#session = undefined
      })
    }
    return this.#session
  }

  async #openAndCheck(): Promise<TowerSession> {
    const { path, dim, inputs, output } = this.#spec
    const session = await TowerSession.open(path, this.#options)
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
