import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

export interface AlternativeStart {
  /** File that `require('@huggingface/transformers')` means. */
  readonly entry: string
  /** Holds the folder `model`. */
  readonly models: string
  /** Folder of JPEGs. */
  readonly pictures: string
}

export interface AlternativeRequest {
  readonly batch: number
  /** Without them nothing is sent but the word that it is done: JSON would be charged to the library. */
  readonly vectors: boolean
}

export interface AlternativeReply {
  readonly vectors: readonly (readonly number[])[]
  readonly peakMiB: number
}

/** The part of @huggingface/transformers 3 and 4 that is used. */
interface Transformers {
  readonly env: { localModelPath: string; allowRemoteModels: boolean }
  readonly AutoProcessor: { from_pretrained(name: string): Promise<(images: unknown) => Promise<Inputs>> }
  readonly CLIPVisionModelWithProjection: {
    from_pretrained(name: string, options: object): Promise<(inputs: Inputs) => Promise<Outputs>>
  }
  readonly RawImage: { fromBlob(blob: Blob): Promise<unknown> }
}

interface Inputs {
  readonly pixel_values: unknown
}

interface Outputs {
  readonly image_embeds: { readonly data: Float32Array; readonly dims: readonly number[] }
}

const { entry, models, pictures } = JSON.parse(process.argv[2]!) as AlternativeStart
const transformers = createRequire(import.meta.url)(entry) as Transformers
const { env, AutoProcessor, CLIPVisionModelWithProjection, RawImage } = transformers
env.localModelPath = models
env.allowRemoteModels = false

const processor = await AutoProcessor.from_pretrained('model')
const model = await CLIPVisionModelWithProjection.from_pretrained('model', { dtype: 'fp32' })
const jpegs = readdirSync(pictures)
  .sort()
  .map(file => readFileSync(join(pictures, file)))

async function encode(batch: number): Promise<Float32Array[]> {
  const vectors: Float32Array[] = []
  for (let at = 0; at < jpegs.length; at += batch) {
    const images = await Promise.all(
      jpegs.slice(at, at + batch).map(jpeg => RawImage.fromBlob(new Blob([jpeg]))),
    )
    const { image_embeds } = await model(await processor(images))
    const dim = image_embeds.dims[1]!
    for (let from = 0; from < image_embeds.data.length; from += dim) {
      vectors.push(image_embeds.data.slice(from, from + dim))
    }
  }
  return vectors
}

function reply(vectors: readonly Float32Array[]): void {
  const peakMiB = process.resourceUsage().maxRSS / 1024
  const message: AlternativeReply = { vectors: vectors.map(vector => [...vector]), peakMiB }
  process.send!(message)
}

process.on('message', async (request: AlternativeRequest) => {
  const vectors = await encode(request.batch)
  reply(request.vectors ? vectors : [])
})
process.on('disconnect', () => process.exit())
reply([])
