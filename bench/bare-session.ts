import type { ClipModel } from '@sightline/core'
import { openOrtSession } from '@sightline/core/clip/ort-session.js'
import { preprocessImage, toTensor } from '@sightline/core/clip/preprocess.js'
import { defaultThreads } from '@sightline/core/clip/session.js'
import { type InferenceSession, Tensor } from 'onnxruntime-node'

/**
 * What stands below everything here: ONNX Runtime itself, on this thread, opened by the very function that Sightline
 * opens its sessions with, so that threads, spinning and graph optimisation are the same.
 */
export class BareSession {
  readonly #session: InferenceSession

  private constructor(session: InferenceSession) {
    this.#session = session
  }

  static async open(path: string): Promise<BareSession> {
    return new BareSession(await openOrtSession({ model: path, provider: 'cpu', threads: defaultThreads() }))
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

/** The pictures as the model's image tower wants them, one after the other: `[pictures, 3, size, size]`. */
export async function readyTensor(model: ClipModel, pictures: readonly Uint8Array[]): Promise<Float32Array> {
  const spec = model.manifest.image
  const length = 3 * spec.size ** 2
  const ready = new Float32Array(pictures.length * length)
  for (const [i, picture] of pictures.entries()) {
    const { pixels } = await preprocessImage(picture, spec)
    toTensor(pixels, spec, ready.subarray(i * length, (i + 1) * length))
  }
  return ready
}
