import { fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { type ClipModel, dot, fault, l2Normalize, loadModel } from '@sightline/core'
import type { AlternativeReply, AlternativeRequest, AlternativeStart } from './alternative-process.ts'
import { type BenchOptions, compareCost, interleave, type Section } from './measure.ts'
import { cameraPictures, MODEL_DIR, writePictures } from './pictures.ts'

const PACKAGE = '@huggingface/transformers'
const BATCH = 16
const TITLE = `Beside ${PACKAGE}`

/** The library that a Node user would pick, on the same ONNX file and the same JPEGs. */
export async function alternative({ quick, dir }: BenchOptions): Promise<Section> {
  const found = findPackage()
  if (found === undefined) {
    const note = `Not measured: ${PACKAGE} is not a dependency of this repository. \`mkdir /tmp/alternative && npm install --prefix /tmp/alternative ${PACKAGE}\`, then \`SIGHTLINE_BENCH_TRANSFORMERS=/tmp/alternative npm run bench\`.`
    return { title: TITLE, comparisons: [], figures: [], notes: [note] }
  }
  const pictures = await cameraPictures(BATCH)
  const model = await loadModel({ dir: MODEL_DIR, towers: ['image'] })
  await model.warmUp()
  const other = await Alternative.start({
    entry: found.entry,
    models: await hubLayout(join(dir, 'models'), model),
    pictures: await writePictures(join(dir, 'pictures'), pictures),
  })
  try {
    const rounds = quick ? 2 : 10
    const one = await interleave(
      {
        ours: async () => {
          for (const picture of pictures) await model.encodeImages([picture])
        },
        theirs: () => other.encode(1),
      },
      rounds,
    )
    const sixteen = await interleave(
      { ours: () => model.encodeImages(pictures), theirs: () => other.encode(BATCH) },
      rounds,
    )
    const shared = { items: BATCH, unit: 'ms a picture', target: 'at most 0.67' }
    const beside = `${PACKAGE} ${found.version}`
    return {
      title: TITLE,
      comparisons: [
        compareCost({ ...one, ...shared, what: 'JPEG to embedding, one by one', beside }),
        compareCost({ ...sixteen, ...shared, what: `JPEG to embedding, one call of ${BATCH}`, beside }),
      ],
      figures: [
        {
          what: 'cosine between the two, lowest of the pictures',
          value: (await agreement(model, pictures, other)).toFixed(4),
        },
      ],
      notes: [
        'The same ONNX file, laid out as that library wants it (`CLIPVisionModelWithProjection`, `CLIPImageProcessor`: bicubic, no crop, the same mean and deviation), in a process of its own, with its own defaults for threads and spinning. JPEGs from memory on both sides.',
        'Below 1 Sightline is faster; 0.67 is 1.5 times as fast. The cosine is below 1 because that library shrinks pictures by interpolation between neighbouring pixels, without the smoothing that Pillow, and so CLIP, has: fine detail aliases.',
      ],
    }
  } finally {
    await Promise.all([model.close(), other.stop()])
  }
}

async function agreement(model: ClipModel, pictures: readonly Buffer[], other: Alternative): Promise<number> {
  const ours = await model.encodeImages(pictures)
  const theirs = await other.encode(BATCH)
  return Math.min(...ours.map((vector, i) => dot(vector, l2Normalize(Float32Array.from(theirs[i]!)))))
}

function findPackage(): { entry: string; version: string } | undefined {
  const at = process.env.SIGHTLINE_BENCH_TRANSFORMERS ?? '.'
  const require = createRequire(join(resolve(at), 'node_modules/'))
  try {
    const entry = require.resolve(PACKAGE)
    const root = entry.slice(0, entry.lastIndexOf(PACKAGE) + PACKAGE.length)
    return { entry, version: require(`${root}/package.json`).version as string }
  } catch {
    return undefined
  }
}

/** The directory layout of the Hugging Face hub, for our image tower. */
async function hubLayout(root: string, { manifest }: ClipModel): Promise<string> {
  const { image, dim } = manifest
  const dir = join(root, 'model')
  await mkdir(join(dir, 'onnx'), { recursive: true })
  await copyFile(join(MODEL_DIR, image.file.path), join(dir, 'onnx/vision_model.onnx'))
  await writeFile(
    join(dir, 'config.json'),
    JSON.stringify({ model_type: 'clip_vision_model', projection_dim: dim, image_size: image.size }),
  )
  await writeFile(
    join(dir, 'preprocessor_config.json'),
    JSON.stringify({
      image_processor_type: 'CLIPImageProcessor',
      do_resize: true,
      size: { width: image.size, height: image.size },
      resample: 3,
      do_center_crop: false,
      do_rescale: true,
      rescale_factor: 1 / 255,
      do_normalize: true,
      image_mean: image.mean,
      image_std: image.std,
      do_convert_rgb: true,
    }),
  )
  return root
}

/** The other library at work in another process, so that neither's native code meets the other's. */
class Alternative {
  readonly #child: ReturnType<typeof fork>

  private constructor(child: ReturnType<typeof fork>) {
    this.#child = child
  }

  static async start(start: AlternativeStart): Promise<Alternative> {
    const child = fork(new URL('./alternative-process.ts', import.meta.url), [JSON.stringify(start)])
    const other = new Alternative(child)
    await other.#reply()
    return other
  }

  /** Embeds all pictures, `batch` at a time. */
  async encode(batch: number): Promise<readonly (readonly number[])[]> {
    const request: AlternativeRequest = { batch }
    this.#child.send(request)
    return (await this.#reply()).vectors
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.disconnect()
    await exited
  }

  #reply(): Promise<AlternativeReply> {
    return new Promise((resolve, reject) => {
      const ended = () => reject(fault('INTERNAL', `the process that runs ${PACKAGE} ended`))
      this.#child.once('exit', ended)
      this.#child.once('message', reply => {
        this.#child.off('exit', ended)
        resolve(reply as AlternativeReply)
      })
    })
  }
}
