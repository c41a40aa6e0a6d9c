import { fork } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { type ClipModel, dot, fault, l2Normalize, loadModel } from '@sightline/core'
import type { AlternativeReply, AlternativeRequest, AlternativeStart } from './alternative-process.ts'
import { type BenchOptions, compareCost, interleave, type Section } from './measure.ts'
import { cameraPictures, MODEL_DIR, writePictures } from './pictures.ts'
import { vitModel } from './vit-model.ts'

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
  const folder = await writePictures(join(dir, 'pictures'), pictures)
  const vit = await vitModel(dir)
  const race = { pictures, folder, found, dir, rounds: quick ? 2 : 8 }
  const embedded = await beside({ ...race, name: 'the embedded model', modelDir: MODEL_DIR })
  const large = await beside({ ...race, name: 'ViT-B/32 INT8', modelDir: vit.dir })
  return {
    title: TITLE,
    comparisons: [...embedded.comparisons, ...large.comparisons],
    figures: [...embedded.figures, ...large.figures],
    notes: [
      'The same ONNX file, laid out as that library wants it (`CLIPVisionModelWithProjection`, `CLIPImageProcessor`: bicubic, the same mean and deviation, cropped or not as the model wants it), in a process of its own, with its own defaults for threads and spinning. JPEGs from memory on both sides.',
      'Below 1 Sightline is faster; 0.67 is 1.5 times as fast. The cosine is below 1 because that library shrinks pictures by interpolation between neighbouring pixels, without the smoothing that Pillow, and so CLIP, has: fine detail aliases. Random weights hardly notice.',
    ],
  }
}

interface Race {
  readonly name: string
  readonly modelDir: string
  readonly pictures: readonly Buffer[]
  /** Where they lie, for other processes. */
  readonly folder: string
  readonly found: { readonly entry: string; readonly version: string }
  readonly dir: string
  readonly rounds: number
}

async function beside({ name, modelDir, pictures, folder, found, dir, rounds }: Race) {
  const model = await loadModel({ dir: modelDir, towers: ['image'] })
  await model.warmUp()
  const models = await hubLayout(join(dir, model.manifest.name), { model, modelDir })
  const other = await Alternative.start({ entry: found.entry, models, pictures: folder })
  try {
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
    const against = `${PACKAGE} ${found.version}`
    return {
      comparisons: [
        compareCost({ ...one, ...shared, what: `${name}, one by one`, beside: against }),
        compareCost({ ...sixteen, ...shared, what: `${name}, one call of ${BATCH}`, beside: against }),
      ],
      figures: [
        {
          what: `${name}: cosine between the two, lowest of the pictures`,
          value: (await agreement(model, pictures, other)).toFixed(4),
        },
        {
          what: `${name}: peak resident memory of that library's process`,
          value: `${Math.round(other.peakMiB)} MiB`,
        },
      ],
    }
  } finally {
    await Promise.all([model.close(), other.stop()])
  }
}

async function agreement(model: ClipModel, pictures: readonly Buffer[], other: Alternative): Promise<number> {
  const ours = await model.encodeImages(pictures)
  const theirs = await other.encode(BATCH, true)
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
async function hubLayout(
  root: string,
  { model, modelDir }: { model: ClipModel; modelDir: string },
): Promise<string> {
  const { image, dim } = model.manifest
  const crop = image.resize === 'crop'
  const dir = join(root, 'model')
  await mkdir(join(dir, 'onnx'), { recursive: true })
  await copyFile(join(modelDir, image.file.path), join(dir, 'onnx/vision_model.onnx'))
  await writeFile(
    join(dir, 'config.json'),
    JSON.stringify({ model_type: 'clip_vision_model', projection_dim: dim, image_size: image.size }),
  )
  await writeFile(
    join(dir, 'preprocessor_config.json'),
    JSON.stringify({
      image_processor_type: 'CLIPImageProcessor',
      do_resize: true,
      size: crop ? { shortest_edge: image.size } : { width: image.size, height: image.size },
      resample: 3,
      do_center_crop: crop,
      crop_size: { width: image.size, height: image.size },
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
  /** Most memory that the process was seen to have held. */
  peakMiB = Number.NaN

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
  async encode(batch: number, vectors = false): Promise<AlternativeReply['vectors']> {
    const request: AlternativeRequest = { batch, vectors }
    this.#child.send(request)
    const reply = await this.#reply()
    this.peakMiB = reply.peakMiB
    return reply.vectors
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
