import { defaultThreads } from '@sightline/core/clip/session.js'
import { InferenceSession, Tensor } from 'onnxruntime-node'

/**
 * What stands below everything here: ONNX Runtime itself, on this thread, with the options that Sightline gives it.
 * Spinning is off for both; on, it would be a little faster and never idle.
 */
export class BareSession {
  readonly #session: InferenceSession

  private constructor(session: InferenceSession) {
    this.#session = session
  }

  static async open(path: string): Promise<BareSession> {
    const session = await InferenceSession.create(path, {
      executionProviders: ['cpu'],
      intraOpNumThreads: defaultThreads(),
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4,
      extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
    })
    return new BareSession(session)
  }

  /** @param tensor ready to run, `[batch, 3, size, size]` */
  async run(tensor: Tensor): Promise<Float32Array> {
    const output = this.#session.outputNames[0]!
    const results = await this.#session.run({ [this.#session.inputNames[0]!]: tensor }, [output])
    return results[output]!.data as Float32Array
  }

  async close(): Promise<void> {
    await this.#session.release()
  }
}

export function imageTensor(data: Float32Array, size: number): Tensor {
  return new Tensor('float32', data, [data.length / (3 * size * size), 3, size, size])
}
