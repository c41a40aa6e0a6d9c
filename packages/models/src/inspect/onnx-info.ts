import { GraphIndex } from '../onnx/graph.ts'
import { readModel } from '../onnx/model-file.ts'
import { type ModelProto, opsetOf, tensorTypeOf, toNumber, type ValueInfoProto } from '../onnx/proto.ts'
import { byteLengthOf, typeName } from '../onnx/tensor.ts'

/** What an ONNX file holds, without running it. */
export interface ModelInfo {
  readonly path: string
  /** Side files included. */
  readonly bytes: number
  readonly irVersion: number
  readonly opsets: Readonly<Record<string, number>>
  readonly producer: string
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  /** Nodes per operator, most frequent first. */
  readonly operators: Readonly<Record<string, number>>
  /** Stored bytes per element type. */
  readonly weightBytes: Readonly<Record<string, number>>
  readonly metadata: Readonly<Record<string, string>>
}

/** @throws QUANTISE_NOT_ONNX, QUANTISE_EXTERNAL_DATA */
export async function inspectModel(path: string): Promise<ModelInfo> {
  const { model, bytes } = await readModel(path)
  const index = new GraphIndex(model)
  const feeds = new Set(index.feedNames())
  const inputs = (index.graph.input ?? []).filter(({ name }) => feeds.has(name ?? ''))
  return {
    path,
    bytes,
    irVersion: toNumber(model.irVersion),
    opsets: Object.fromEntries(
      (model.opsetImport ?? []).map(({ domain }) => [domain || 'ai.onnx', opsetOf(model, domain ?? '')]),
    ),
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(' '),
    inputs: inputs.map(describe),
    outputs: (index.graph.output ?? []).map(describe),
    operators: counted(index.nodes.map(node => node.opType ?? '')),
    weightBytes: weightsByType(model),
    metadata: Object.fromEntries(
      (model.metadataProps ?? []).map(({ key, value }) => [key ?? '', value ?? '']),
    ),
  }
}

function describe(info: ValueInfoProto): string {
  const type = tensorTypeOf(info)
  if (!type) return info.name ?? ''
  const shape = type.shape?.map(dim => (dim === '' ? '?' : dim)).join(', ') ?? '...'
  return `${info.name} ${typeName(type.elemType)} [${shape}]`
}

function counted(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return Object.fromEntries([...counts].sort((a, b) => b[1] - a[1] || a[0].localeCompare(b[0])))
}

function weightsByType(model: ModelProto): Record<string, number> {
  const sums: Record<string, number> = {}
  for (const tensor of model.graph?.initializer ?? []) {
    const name = typeName(tensor.dataType ?? 0)
    sums[name] = (sums[name] ?? 0) + byteLengthOf(tensor)
  }
  return sums
}
