import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelManifest } from '@sightline/core'
import { silent } from '@sightline/models/quantize/progress.js'
import { quantiseFile } from '@sightline/models/quantize/quantize.js'
import { MODEL_DIR } from './pictures.ts'
import { VIT, visionTransformer } from './vit-graph.ts'

export interface VitModel {
  /** A model directory with an INT8 image tower and no text tower. */
  readonly dir: string
  readonly int8: string
  readonly float: string
  readonly floatBytes: number
  readonly int8Bytes: number
}

/** CLIP ViT-B/32 with random weights: they take the same time as trained ones, and those cannot be shipped. */
export async function vitModel(root: string): Promise<VitModel> {
  const dir = join(root, 'vit')
  await mkdir(dir, { recursive: true })
  const float = join(root, 'vit.onnx')
  const int8 = join(dir, 'image.onnx')
  await writeFile(float, visionTransformer())
  const { bytesBefore, bytesAfter } = await quantiseFile(
    {
      input: float,
      output: int8,
      mode: 'dynamic',
      target: 'cpu',
      calibration: 'percentile',
      percentile: 99.999,
      minCosine: null,
      reduceRange: false,
      conv: false,
      keepFloat: [],
      samples: {},
      sampleCount: 0,
      searchMs: 0,
    },
    silent,
  )
  await writeFile(join(dir, 'manifest.json'), JSON.stringify(manifestOf(readFileSync(int8))))
  return { dir, int8, float, floatBytes: bytesBefore, int8Bytes: bytesAfter }
}

/** The text half, which is not used, is the embedded model's. */
function manifestOf(tower: Uint8Array): ModelManifest {
  const embedded = JSON.parse(readFileSync(join(MODEL_DIR, 'manifest.json'), 'utf8')) as ModelManifest
  const { canary: _, ...rest } = embedded
  const sha256 = createHash('sha256').update(tower).digest('hex')
  return {
    ...rest,
    name: 'vit-b-32-random',
    title: 'CLIP ViT-B/32 with random weights',
    dim: VIT.dim,
    image: {
      file: { path: 'image.onnx', bytes: tower.length, sha256 },
      precision: 'int8',
      input: 'pixel_values',
      output: 'image_embeds',
      size: VIT.size,
      resize: 'crop',
      mean: [0.48145466, 0.4578275, 0.40821073],
      std: [0.26862954, 0.26130258, 0.27577711],
    },
  }
}
