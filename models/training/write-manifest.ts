/**
 * Writes <model dir>/manifest.json from manifest.base.json, the files beside it, the head's temperature and the figures
 * that `sightline-models eval` measured.
 *
 *   tsx write-manifest.ts <model dir> <head.json> [--precision fp32] [--quality quality.json]
 */
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { CHANNEL_MEANS } from './preprocess.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quality: { type: 'string' }, precision: { type: 'string', default: 'int8' } },
})
const { quality, precision } = values
const [modelDir, headPath] = positionals
const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const base = readJson(join(import.meta.dirname, 'manifest.base.json'))
const head: { scale: number; shapes: Record<string, number[]> } = readJson(headPath)

const manifest = {
  schema: base.schema,
  name: base.name,
  version: base.version,
  title: base.title,
  dim: head.shapes.class_embeddings[1],
  logitScale: Number(head.scale.toFixed(3)),
  image: {
    file: describe('image.onnx'),
    precision,
    ...base.image,
    mean: CHANNEL_MEANS.map(mean => mean / 255),
  },
  text: {
    file: describe('text.onnx'),
    precision,
    ...base.text,
    tokenizer: describe('tokenizer.json'),
    tokenizerConfig: describe('tokenizer_config.json'),
  },
  license: base.license,
  trainingData: base.trainingData,
  quality: quality ? readJson(quality) : [],
  cannot: base.cannot,
}
const path = join(modelDir, 'manifest.json')
writeFileSync(`${path}.part`, `${JSON.stringify(manifest, null, 2)}\n`)
renameSync(`${path}.part`, path)

function describe(file: string) {
  const bytes = readFileSync(join(modelDir, file))
  return { path: file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}
