import { fault } from '@sightline/core/errors.js'
import type { GraphIndex } from '../onnx/graph.ts'
import { DataType, tensorTypeOf } from '../onnx/proto.ts'
import { typeName } from '../onnx/tensor.ts'

export interface PictureInput {
  readonly name: string
  /** Side in pixels that the model fixes; undefined when it takes any. */
  readonly size: number | undefined
}

export interface TextInput {
  readonly ids: string
  readonly mask: string | undefined
  readonly types: string | undefined
  readonly positions: string | undefined
  readonly idType: 'int64' | 'int32'
  /** Sequence length that the model fixes; undefined when it takes any. */
  readonly length: number | undefined
}

/** What the model wants to be fed: a picture, a sentence or both. */
export interface InputPlan {
  readonly picture: PictureInput | undefined
  readonly text: TextInput | undefined
}

const fixed = (dim: number | string | undefined): number | undefined =>
  typeof dim === 'number' && dim > 0 ? dim : undefined

/** @throws QUANTISE_INPUTS_UNKNOWN when an input is neither a picture nor belongs to a sentence */
export function planInputs(index: GraphIndex): InputPlan {
  let picture: PictureInput | undefined
  const roles: { ids?: string; mask?: string; types?: string; positions?: string } = {}
  let idType: 'int64' | 'int32' = 'int64'
  let length: number | undefined
  const feeds = new Set(index.feedNames())
  for (const info of (index.graph.input ?? []).filter(({ name }) => feeds.has(name ?? ''))) {
    const name = info.name ?? ''
    const type = tensorTypeOf(info)
    const shape = type?.shape
    if (type?.elemType === DataType.FLOAT && shape?.length === 4 && shape[1] === 3 && !picture) {
      picture = { name, size: fixed(shape[2]) }
      continue
    }
    const role = textRole(name)
    const integer = type?.elemType === DataType.INT64 || type?.elemType === DataType.INT32
    if (!integer || (shape !== undefined && shape.length !== 2) || roles[role] !== undefined) {
      const found = type ? `${typeName(type.elemType)} [${shape?.join(', ') ?? '?'}]` : 'no tensor'
      throw fault(
        'QUANTISE_INPUTS_UNKNOWN',
        `the input "${name}" (${found}) is neither a picture nor part of a text`,
      )
    }
    roles[role] = name
    if (role === 'ids') {
      idType = type.elemType === DataType.INT32 ? 'int32' : 'int64'
      length = fixed(shape?.[1])
    }
  }
  const { ids, mask, types, positions } = roles
  if (ids === undefined && (mask ?? types ?? positions) !== undefined) {
    throw fault('QUANTISE_INPUTS_UNKNOWN', `there is a mask "${mask ?? types}" but no input with token ids`)
  }
  return { picture, text: ids === undefined ? undefined : { ids, mask, types, positions, idType, length } }
}

function textRole(name: string): 'ids' | 'mask' | 'types' | 'positions' {
  if (/mask/i.test(name)) return 'mask'
  if (/type/i.test(name)) return 'types'
  return /position/i.test(name) ? 'positions' : 'ids'
}
