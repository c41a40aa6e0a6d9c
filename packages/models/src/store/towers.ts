import { fault } from '@sightline/core/errors.js'
import { DataType } from '../onnx/proto.ts'
import type { OnnxHeader, OnnxValue } from './onnx-header.ts'

/** Names of a tower's tensors; those that are given must exist, the others are found. */
export interface TowerNames {
  readonly input?: string | undefined
  readonly output?: string | undefined
  readonly attentionMask?: string | undefined
}

export interface ImageTower {
  readonly input: string
  readonly output: string
  /** Side that the file fixes. */
  readonly size: number | undefined
  /** Embedding length that the file fixes. */
  readonly dim: number | undefined
  /** Batch that the file fixes; undefined when any size goes. */
  readonly batch: number | undefined
  /** Largest batch whose vectors do not depend on one another; undefined when any goes. */
  readonly maxBatch: 1 | undefined
  /** Inputs that the tower does not account for. */
  readonly others: readonly string[]
}

export interface TextTower {
  readonly inputIds: string
  readonly attentionMask: string | undefined
  readonly idType: 'int64' | 'int32'
  readonly output: string
  readonly length: number | undefined
  readonly dim: number | undefined
  readonly batch: number | undefined
  readonly maxBatch: 1 | undefined
  /** Inputs that the tower does not account for. */
  readonly others: readonly string[]
}

/** As exporters name the projected embedding: Optimum, open_clip's, SigLIP's; then what one-output files have. */
export const IMAGE_OUTPUTS = [
  'image_embeds',
  'image_features',
  'image_embedding',
  'embedding',
  'pooler_output',
]
const TEXT_OUTPUTS = ['text_embeds', 'text_features', 'text_embedding', 'embedding', 'pooler_output']

/** @throws MODEL_INVALID when there is no such input or output, or no single one */
export function imageTower(header: OnnxHeader, names: TowerNames, where: string): ImageTower {
  const isPicture = ({ elemType, shape }: OnnxValue) =>
    (elemType === DataType.FLOAT || elemType === DataType.FLOAT16) &&
    (shape === undefined || shape.length === 4)
  const input = names.input
    ? named(header.inputs, names.input, where)
    : only(header.inputs.filter(isPicture), `a picture input in ${where}`)
  if (input.elemType === DataType.FLOAT16) {
    throw fault(
      'MODEL_INVALID',
      `${where}: the input ${input.name} is float16; export it with float32 inputs and outputs`,
    )
  }
  const output = outputOf(header, names.output, IMAGE_OUTPUTS, where)
  return {
    input: input.name,
    output: output.name,
    size: fixed(input.shape?.[2]),
    dim: fixed(output.shape?.at(-1)),
    batch: fixed(input.shape?.[0]),
    maxBatch: maxBatch(header, fixed(input.shape?.[0])),
    others: header.inputs.map(({ name }) => name).filter(name => name !== input.name),
  }
}

/** @throws MODEL_INVALID */
export function textTower(header: OnnxHeader, names: TowerNames, where: string): TextTower {
  const isInteger = ({ elemType }: OnnxValue) => elemType === DataType.INT64 || elemType === DataType.INT32
  const integers = header.inputs.filter(isInteger)
  const masks = integers.filter(({ name }) => /mask/i.test(name))
  const ids = names.input
    ? named(header.inputs, names.input, where)
    : only(
        integers.filter(({ name }) => !/mask|type|position/i.test(name)),
        `an input with token ids in ${where}`,
      )
  if (!isInteger(ids))
    throw fault('MODEL_INVALID', `${where}: the input ${ids.name} takes no int32 or int64 ids`)
  const mask = names.attentionMask ? named(header.inputs, names.attentionMask, where) : masks[0]
  const output = outputOf(header, names.output, TEXT_OUTPUTS, where)
  return {
    inputIds: ids.name,
    attentionMask: mask?.name,
    idType: ids.elemType === DataType.INT32 ? 'int32' : 'int64',
    output: output.name,
    length: fixed(ids.shape?.[1]),
    dim: fixed(output.shape?.at(-1)),
    batch: fixed(ids.shape?.[0]),
    maxBatch: maxBatch(header, fixed(ids.shape?.[0])),
    others: header.inputs.map(({ name }) => name).filter(name => name !== ids.name && name !== mask?.name),
  }
}

function maxBatch({ dynamic }: OnnxHeader, batch: number | undefined): 1 | undefined {
  return dynamic || batch === 1 ? 1 : undefined
}

function outputOf(
  header: OnnxHeader,
  name: string | undefined,
  usual: readonly string[],
  where: string,
): OnnxValue {
  if (name) return named(header.outputs, name, where)
  for (const candidate of usual) {
    const found = header.outputs.find(output => output.name === candidate)
    if (found) return found
  }
  const vectors = header.outputs.filter(({ shape }) => shape === undefined || shape.length === 2)
  return only(vectors, `an embedding output in ${where}`)
}

function named(values: readonly OnnxValue[], name: string, where: string): OnnxValue {
  const found = values.find(value => value.name === name)
  if (found) return found
  throw fault(
    'MODEL_INVALID',
    `${where} has no ${name}; it has ${values.map(value => value.name).join(', ')}`,
  )
}

function only(values: readonly OnnxValue[], what: string): OnnxValue {
  if (values.length === 1) return values[0]!
  const found =
    values.length === 0 ? 'there is none' : `there are ${values.map(({ name }) => name).join(', ')}`
  throw fault('MODEL_INVALID', `cannot tell which is ${what}: ${found}; name the tensor`)
}

const fixed = (dim: number | string | undefined): number | undefined =>
  typeof dim === 'number' && dim > 0 ? dim : undefined
