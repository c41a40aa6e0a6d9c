import { createHash } from 'node:crypto'
import { encodeModel, type NodeProto, type TensorProto, valueInfo } from '@sightline/models/onnx/proto.js'
import type { RegistryEntry, SourceFile } from '@sightline/models/registry/schema.js'

/** Real, loadable towers of a few kilobytes: mean colour times a matrix, mean of token embeddings. */
export const DIM = 8
const FLOAT = 1
const INT64 = 7
const VOCAB = 30522

function floats(name: string, dims: number[], seed: number): TensorProto {
  const values = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + i))
  return { name, dims, dataType: FLOAT, rawData: new Uint8Array(values.buffer) }
}

const ints = (name: string, values: number[]) => ({ name, type: 7, ints: values })
const int = (name: string, value: number) => ({ name, type: 2, i: value })

interface Part {
  readonly node: NodeProto[]
  readonly initializer: TensorProto[]
  readonly input: ReturnType<typeof valueInfo>[]
  readonly output: ReturnType<typeof valueInfo>[]
}

function imagePart(seed: number): Part {
  return {
    node: [
      {
        name: 'pool',
        opType: 'ReduceMean',
        input: ['pixel_values'],
        output: ['mean_colour'],
        attribute: [ints('axes', [2, 3]), int('keepdims', 0)],
      },
      { name: 'project', opType: 'MatMul', input: ['mean_colour', 'w'], output: ['image_embeds'] },
    ],
    initializer: [floats('w', [3, DIM], seed)],
    input: [valueInfo('pixel_values', FLOAT, ['batch', 3, 'height', 'width'])],
    output: [valueInfo('image_embeds', FLOAT, ['batch', DIM])],
  }
}

function textPart(seed: number): Part {
  return {
    node: [
      { name: 'embed', opType: 'Gather', input: ['table', 'input_ids'], output: ['tokens'] },
      {
        name: 'cast',
        opType: 'Cast',
        input: ['attention_mask'],
        output: ['mask'],
        attribute: [int('to', FLOAT)],
      },
      { name: 'widen', opType: 'Unsqueeze', input: ['mask', 'axis'], output: ['wide'] },
      { name: 'mute', opType: 'Mul', input: ['tokens', 'wide'], output: ['muted'] },
      {
        name: 'mean',
        opType: 'ReduceMean',
        input: ['muted'],
        output: ['text_embeds'],
        attribute: [ints('axes', [1]), int('keepdims', 0)],
      },
    ],
    initializer: [
      floats('table', [VOCAB, DIM], seed),
      { name: 'axis', dims: [1], dataType: INT64, rawData: new Uint8Array(new BigInt64Array([2n]).buffer) },
    ],
    input: [
      valueInfo('input_ids', INT64, ['batch', 'sequence']),
      valueInfo('attention_mask', INT64, ['batch', 'sequence']),
    ],
    output: [valueInfo('text_embeds', FLOAT, ['batch', DIM])],
  }
}

function encode(parts: readonly Part[]): Buffer {
  const join = <K extends keyof Part>(key: K) => parts.flatMap(part => part[key] as unknown[]) as Part[K]
  const graph = {
    name: 'g',
    node: join('node'),
    initializer: join('initializer'),
    input: join('input'),
    output: join('output'),
  }
  return Buffer.from(encodeModel({ irVersion: 8, opsetImport: [{ domain: '', version: 13 }], graph }))
}

export const imageOnnx = (seed = 1): Buffer => encode([imagePart(seed)])
export const textOnnx = (seed = 2): Buffer => encode([textPart(seed)])
/** One file with both towers, as Optimum exports a whole CLIP: similarities are computed between them. */
export function bothOnnx(seed = 3): Buffer {
  const similarity: Part = {
    node: [
      {
        name: 'turn',
        opType: 'Transpose',
        input: ['image_embeds'],
        output: ['turned'],
        attribute: [ints('perm', [1, 0])],
      },
      { name: 'similarity', opType: 'MatMul', input: ['text_embeds', 'turned'], output: ['logits_per_text'] },
    ],
    initializer: [],
    input: [],
    output: [valueInfo('logits_per_text', FLOAT, ['texts', 'images'])],
  }
  return encode([imagePart(seed), textPart(seed), similarity])
}

/** An image tower whose matrix lies in a file of the given name. */
export function externalOnnx(location: string): { readonly onnx: Buffer; readonly data: Buffer } {
  const part = imagePart(4)
  const data = Buffer.from(part.initializer[0]!.rawData!)
  const outside: TensorProto = {
    name: 'w',
    dims: [3, DIM],
    dataType: FLOAT,
    dataLocation: 1,
    externalData: [{ key: 'location', value: location }],
  }
  return { onnx: encode([{ ...part, initializer: [outside] }]), data }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

export type Files = Record<string, Buffer>

export const tinyFiles = (): Files => ({
  'onnx/vision_model.onnx': imageOnnx(),
  'onnx/text_model.onnx': textOnnx(),
  'tokenizer.json': Buffer.from('{"model":{"type":"WordPiece","vocab":{}}}'),
  'tokenizer_config.json': Buffer.from('{"tokenizer_class":"BertTokenizer"}'),
})

export function pinned(path: string, files: Files): SourceFile {
  return { path, bytes: files[path]!.length, sha256: sha256(files[path]!) }
}

export function unpinned(path: string): SourceFile {
  return { path, bytes: null, sha256: 'unpinned' }
}

/** A registry entry for `tinyFiles`, every file described by `describe`. */
export function tinyEntry(
  describe: (path: string) => SourceFile,
  more: Partial<RegistryEntry> = {},
): RegistryEntry {
  return {
    name: 'tiny',
    version: '1',
    title: 'Tiny test model',
    source: { kind: 'huggingface', repo: 'test/tiny', revision: 'main' },
    files: {
      image: describe('onnx/vision_model.onnx'),
      text: describe('onnx/text_model.onnx'),
      tokenizer: describe('tokenizer.json'),
      tokenizerConfig: describe('tokenizer_config.json'),
    },
    license: { spdx: 'MIT', notice: 'A test model.' },
    precision: 'fp32',
    dim: DIM,
    logitScale: { value: 100, source: 'test' },
    image: { size: 32, resize: 'crop', mean: [0, 0, 0], std: [1, 1, 1] },
    text: { contextLength: 16, padTo: 'longest', padId: 0, clean: 'none' },
    zeroShot: null,
    trainingData: [],
    ...more,
  }
}
