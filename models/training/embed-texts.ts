/**
 * Every sentence the training needs, and its unit-length mean-pooled MiniLM embedding.
 *
 *   tsx embed-texts.ts <MiniLM dir> <resnet package dir> <photos dir> <out dir>
 *
 * Writes texts.json (sentences; ImageNet prompts per class; concepts; per photo set the files with captions, original name and, for
 * Caltech-101, class prompts) and texts.f32 [sentences, 384].
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { readPhotoSet } from '@sightline/models/eval/photo-set.js'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { caltechPrompts, conceptPrompts, imagenetPrompts } from './prompts.ts'

const BATCH = 32
const WIDTH = 384
const [minilmDir, resnetDir, photosDir, outDir] = process.argv.slice(2)
mkdirSync(outDir, { recursive: true })

const sets = ['flickr8k', 'caltech101', 'coco_val']
const photos = Object.fromEntries(
  sets.map(set => [set, readPhotoSet(join(photosDir, `${set}.tar`)).map(describe)]),
)
const folders = [...new Set(photos.caltech101.map(({ original }) => original.split('/')[0]))].sort()
const caltech101 = Object.fromEntries(folders.map(folder => [folder, caltechPrompts(folder)]))
const imagenet = imagenetPrompts(resnetDir)
const concepts = conceptPrompts()
const sentences = [
  ...photos.flickr8k.flatMap(({ captions }) => captions),
  ...photos.coco_val.flatMap(({ captions }) => captions),
  ...Object.values(caltech101).flat(),
  ...imagenet.flat(),
  ...concepts.flatMap(({ prompts }) => prompts),
]
const texts = [...new Set(sentences)]
writeFileSync(join(outDir, 'texts.json'), JSON.stringify({ texts, imagenet, concepts, caltech101, photos }))

const readJson = (file: string) => JSON.parse(readFileSync(join(minilmDir, file), 'utf8'))
const tokenizer = new Tokenizer(readJson('tokenizer.json'), readJson('tokenizer_config.json'))
const session = await InferenceSession.create(join(minilmDir, 'onnx', 'model.onnx'), {
  intraOpNumThreads: Number(process.env.TRAINING_THREADS ?? 2),
  extra: { session: { intra_op: { allow_spinning: '0' } } },
})
const tokens = texts.map(text => tokenizer.encode(text).ids)
const embeddings = new Float32Array(texts.length * WIDTH)
// Sentences of like length share a batch, so little is padding.
const order = [...tokens.keys()].sort((a, b) => tokens[a].length - tokens[b].length)
const startedAt = performance.now()
for (let start = 0; start < order.length; start += BATCH) {
  await embed(order.slice(start, start + BATCH))
  if (start % (BATCH * 200) === 0) console.log(`texts: ${start}/${texts.length}, ${elapsedSeconds()} s`)
}
writeFileSync(join(outDir, 'texts.f32'), new Uint8Array(embeddings.buffer))
console.log(`texts: ${texts.length}, ${elapsedSeconds()} s`)

function describe({ file, captions, original }: { file: string; captions: string[]; original: string }) {
  return { file, captions, original }
}

async function embed(indices: number[]): Promise<void> {
  const length = Math.max(...indices.map(index => tokens[index].length))
  const ids = new BigInt64Array(indices.length * length)
  const mask = new BigInt64Array(ids.length)
  for (const [row, index] of indices.entries())
    for (const [column, id] of tokens[index].entries()) {
      ids[row * length + column] = BigInt(id)
      mask[row * length + column] = 1n
    }
  const tensor = (values: BigInt64Array) => new Tensor('int64', values, [indices.length, length])
  const { last_hidden_state: hidden } = await session.run({
    input_ids: tensor(ids),
    attention_mask: tensor(mask),
    token_type_ids: tensor(new BigInt64Array(ids.length)),
  })
  for (const [row, index] of indices.entries()) {
    const values = hidden.data as Float32Array
    pool(values.subarray(row * length * WIDTH, (row * length + tokens[index].length) * WIDTH), index)
  }
}

/** Mean over the sentence's tokens, then unit length; the mean's divisor cancels out. */
function pool(states: Float32Array, index: number): void {
  const sum = embeddings.subarray(index * WIDTH, (index + 1) * WIDTH)
  for (const [at, value] of states.entries()) sum[at % WIDTH] += value
  const norm = Math.hypot(...sum)
  for (let at = 0; at < WIDTH; at++) sum[at] /= norm
}

function elapsedSeconds(): string {
  return ((performance.now() - startedAt) / 1000).toFixed(0)
}
