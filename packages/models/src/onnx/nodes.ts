import { type AttributeProto, AttributeType, type NodeProto, type TensorProto, toNumber } from './proto.ts'

export type AttributeValue = number | readonly number[] | { readonly float: number } | TensorProto

/** Plain numbers become INT, arrays INTS, `{ float }` FLOAT, tensors TENSOR. */
export function attribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'number') return { name, type: AttributeType.INT, i: value }
  if (Array.isArray(value)) return { name, type: AttributeType.INTS, ints: [...value] }
  if ('float' in value) return { name, type: AttributeType.FLOAT, f: value.float }
  return { name, type: AttributeType.TENSOR, t: value as TensorProto }
}

export function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attributes: Readonly<Record<string, AttributeValue>> = {},
): NodeProto {
  return {
    opType,
    name: `${opType}_${output[0]}`,
    input: [...input],
    output: [...output],
    attribute: Object.entries(attributes).map(([name, value]) => attribute(name, value)),
  }
}

export function attributeOf(owner: NodeProto, name: string): AttributeProto | undefined {
  return owner.attribute?.find(entry => entry.name === name)
}

export function intAttribute(owner: NodeProto, name: string, fallback: number): number {
  const found = attributeOf(owner, name)
  return found ? toNumber(found.i) : fallback
}

export function floatAttribute(owner: NodeProto, name: string, fallback: number): number {
  return attributeOf(owner, name)?.f ?? fallback
}

export function intsAttribute(owner: NodeProto, name: string): number[] | undefined {
  return attributeOf(owner, name)?.ints?.map(toNumber)
}

/** The node without some attributes, otherwise the same (metadata included). */
export function withoutAttributes(owner: NodeProto, names: readonly string[]): NodeProto {
  return { ...owner, attribute: (owner.attribute ?? []).filter(entry => !names.includes(entry.name ?? '')) }
}

/** What users and reports call a node: its name, or its first output where it has none. */
export function labelOf(owner: NodeProto): string {
  return owner.name || owner.output?.[0] || owner.opType || ''
}

/** Default-domain operator test: contrib operators may share a name with another meaning. */
export function isOp(owner: NodeProto, ...types: readonly string[]): boolean {
  const domain = owner.domain ?? ''
  return (domain === '' || domain === 'ai.onnx') && types.includes(owner.opType ?? '')
}
