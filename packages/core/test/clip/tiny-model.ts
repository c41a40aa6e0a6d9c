import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import onnxProto from 'onnx-proto'
import { wordPieceTokenizer } from '../../../../test/support/word-pieces.ts'

const { onnx } = onnxProto

export interface TinyModel {
  readonly dim: number
  readonly imageWeights: Float32Array
  /** Overrides of the manifest, one level deep. */
  readonly manifest?: Record<string, unknown>
  readonly image?: Record<string, unknown>
  readonly text?: Record<string, unknown>
}

/** The vocabulary of the tiny WordPiece tokenizer; the id is the place. */
export const VOCAB = [
  '[PAD]',
  '[UNK]',
  '[CLS]',
  '[SEP]',
  'a',
  'red',
  'green',
  'blue',
  'thing',
  '##s',
  '[',
  ']',
  'cl',
  'sep',
]

/**
 * Writes a whole model directory. Image tower: mean colour times `imageWeights` [3, dim]. Text tower: one-hot of the
 * ids, counted, [vocabulary] -> dim by a fixed table, padding masked.
 */
export async function writeTinyModel(dir: string, model: TinyModel): Promise<void> {
  await mkdir(dir, { recursive: true })
  const tokenizer = JSON.stringify(tokenizerDefinition())
  const config = JSON.stringify({ tokenizer_class: 'BertTokenizer', unk_token: '[UNK]' })
  const files = {
    'image.onnx': imageTower(model.imageWeights, model.dim),
    'text.onnx': textTower(model.dim),
    'tokenizer.json': Buffer.from(tokenizer),
    'tokenizer_config.json': Buffer.from(config),
  }
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(dir, name), bytes)
  const manifest = {
    schema: 1,
    name: 'tiny',
    version: '1',
    title: 'Tiny',
    dim: model.dim,
    logitScale: 10,
    image: {
      file: entry('image.onnx', files['image.onnx']),
      precision: 'fp32',
      input: 'pixel_values',
      output: 'image_embeds',
      size: 16,
      resize: 'crop',
      mean: [0, 0, 0],
      std: [1, 1, 1],
      ...model.image,
    },
    text: {
      file: entry('text.onnx', files['text.onnx']),
      precision: 'fp32',
      output: 'text_embeds',
      inputIds: 'input_ids',
      attentionMask: 'attention_mask',
      idType: 'int64',
      contextLength: 8,
      padTo: 'longest',
      padId: 0,
      clean: 'none',
      tokenizer: entry('tokenizer.json', files['tokenizer.json']),
      tokenizerConfig: entry('tokenizer_config.json', files['tokenizer_config.json']),
      ...model.text,
    },
    license: { spdx: 'Apache-2.0', notice: 'For tests.' },
    trainingData: [],
    quality: [],
    cannot: [],
    ...model.manifest,
  }
  await writeFile(join(dir, 'manifest.json'), JSON.stringify(manifest))
}

export function entry(path: string, bytes: Uint8Array) {
  return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
}

export function tokenizerDefinition(): Record<string, unknown> {
  const special = (content: string) => ({
    id: VOCAB.indexOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })
  return wordPieceTokenizer(VOCAB, ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map(special))
}

function imageTower(weights: Float32Array, dim: number): Uint8Array {
  return modelOf({
    inputs: [valueInfo('pixel_values', onnx.TensorProto.DataType.FLOAT, ['batch', 3, 16, 16])],
    outputs: [valueInfo('image_embeds', onnx.TensorProto.DataType.FLOAT, ['batch', dim])],
    initializers: [floats('weights', [3, dim], weights)],
    nodes: [
      { opType: 'GlobalAveragePool', input: ['pixel_values'], output: ['pooled'] },
      { opType: 'Flatten', input: ['pooled'], output: ['means'] },
      { opType: 'MatMul', input: ['means', 'weights'], output: ['image_embeds'] },
    ],
  })
}

/** Row of the text table for one token: 1 at the token's own place, a little of the next. */
export function textRow(token: string, dim: number): Float32Array {
  const row = new Float32Array(dim)
  const id = VOCAB.indexOf(token)
  row[id % dim] = 1
  row[(id + 1) % dim]! += 0.25
  return row
}

function textTower(dim: number): Uint8Array {
  const table = new Float32Array(VOCAB.length * dim)
  for (const [id, token] of VOCAB.entries()) table.set(textRow(token, dim), id * dim)
  const { INT64, FLOAT } = onnx.TensorProto.DataType
  return modelOf({
    inputs: [
      valueInfo('input_ids', INT64, ['batch', 'sequence']),
      valueInfo('attention_mask', INT64, ['batch', 'sequence']),
    ],
    outputs: [valueInfo('text_embeds', FLOAT, ['batch', dim])],
    initializers: [floats('table', [VOCAB.length, dim], table), int64s('last', [2]), int64s('second', [1])],
    nodes: [
      { opType: 'Gather', input: ['table', 'input_ids'], output: ['tokens'] },
      { opType: 'Cast', input: ['attention_mask'], output: ['mask'], attribute: [int('to', FLOAT)] },
      { opType: 'Unsqueeze', input: ['mask', 'last'], output: ['mask3'] },
      { opType: 'Mul', input: ['tokens', 'mask3'], output: ['masked'] },
      {
        opType: 'ReduceSum',
        input: ['masked', 'second'],
        output: ['text_embeds'],
        attribute: [int('keepdims', 0)],
      },
    ],
  })
}

interface GraphParts {
  inputs: object[]
  outputs: object[]
  initializers: object[]
  nodes: object[]
}

function modelOf({ inputs, outputs, initializers, nodes }: GraphParts): Uint8Array {
  const graph = { name: 'tiny', node: nodes, input: inputs, output: outputs, initializer: initializers }
  const message = onnx.ModelProto.fromObject({
    irVersion: 8,
    opsetImport: [{ domain: '', version: 13 }],
    graph,
  })
  return onnx.ModelProto.encode(message).finish()
}

function valueInfo(name: string, elemType: number, dims: readonly (string | number)[]) {
  const dim = dims.map(size => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }))
  return { name, type: { tensorType: { elemType, shape: { dim } } } }
}

function floats(name: string, dims: number[], values: Float32Array) {
  const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return { name, dims, dataType: onnx.TensorProto.DataType.FLOAT, rawData }
}

function int64s(name: string, values: number[]) {
  return { name, dims: [values.length], dataType: onnx.TensorProto.DataType.INT64, int64Data: values }
}

function int(name: string, value: number) {
  return { name, type: onnx.AttributeProto.AttributeType.INT, i: value }
}
