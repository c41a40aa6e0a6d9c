import { intsAttribute, isOp } from './nodes.ts'
import type { GraphProto, ModelProto, NodeProto, TensorProto } from './proto.ts'
import { dimsOf } from './tensor.ts'

/** A weight as its consumer sees it: a stored tensor, possibly turned on the way. */
export interface Constant {
  readonly tensor: TensorProto
  /** Axis order applied to the stored tensor; undefined when it is used as stored. */
  readonly perm: readonly number[] | undefined
  /** Shape after `perm`. */
  readonly dims: readonly number[]
}

/** Read-only index over one graph: who makes a value, who takes it, what is constant. */
export class GraphIndex {
  readonly graph: GraphProto
  readonly nodes: readonly NodeProto[]
  readonly outputs: ReadonlySet<string>
  /** Values that a nested graph (If, Loop, Scan) takes from this one. */
  readonly captured: ReadonlySet<string>
  private readonly tensors = new Map<string, TensorProto>()
  private readonly producers = new Map<string, NodeProto>()
  private readonly takers = new Map<string, NodeProto[]>()

  constructor(model: ModelProto) {
    this.graph = model.graph ?? {}
    this.nodes = this.graph.node ?? []
    this.outputs = new Set((this.graph.output ?? []).map(info => info.name ?? ''))
    const captured = new Set<string>()
    for (const tensor of this.graph.initializer ?? []) this.tensors.set(tensor.name ?? '', tensor)
    for (const entry of this.nodes) {
      for (const name of entry.output ?? []) this.producers.set(name, entry)
      for (const name of new Set(entry.input ?? [])) {
        const list = this.takers.get(name)
        if (list) list.push(entry)
        else this.takers.set(name, [entry])
      }
      for (const nested of nestedGraphs(entry)) collectNames(nested, captured)
    }
    this.captured = captured
  }

  producer(name: string): NodeProto | undefined {
    return this.producers.get(name)
  }

  consumers(name: string): readonly NodeProto[] {
    return this.takers.get(name) ?? []
  }

  /** Model inputs that a caller must feed: initializers may be listed as inputs too (IR version 3). */
  feedNames(): string[] {
    return (this.graph.input ?? []).map(info => info.name ?? '').filter(name => !this.tensors.has(name))
  }

  /** Follows Identity, Transpose and Constant back to the stored tensor; undefined when the value is computed. */
  constant(name: string): Constant | undefined {
    const tensor = this.tensors.get(name)
    if (tensor) return { tensor, perm: undefined, dims: dimsOf(tensor) }
    const producer = this.producers.get(name)
    if (!producer) return undefined
    if (isOp(producer, 'Constant')) {
      const value = producer.attribute?.find(entry => entry.name === 'value')?.t
      return value ? { tensor: { ...value, name }, perm: undefined, dims: dimsOf(value) } : undefined
    }
    if (isOp(producer, 'Identity')) return this.constant(producer.input?.[0] ?? '')
    if (!isOp(producer, 'Transpose')) return undefined
    const source = this.constant(producer.input?.[0] ?? '')
    if (!source) return undefined
    const turn =
      intsAttribute(producer, 'perm') ?? source.dims.map((_, axis) => source.dims.length - 1 - axis)
    return {
      tensor: source.tensor,
      perm: turn.map(axis => source.perm?.[axis] ?? axis),
      dims: turn.map(axis => source.dims[axis]!),
    }
  }
}

export function nestedGraphs(entry: NodeProto): GraphProto[] {
  return (entry.attribute ?? []).flatMap(({ g, graphs }) => [...(g ? [g] : []), ...(graphs ?? [])])
}

/** Every name a nested graph mentions: shadowed ones too, which only makes the caller more careful. */
function collectNames(graph: GraphProto, into: Set<string>): void {
  for (const info of graph.output ?? []) into.add(info.name ?? '')
  for (const entry of graph.node ?? []) {
    for (const name of entry.input ?? []) into.add(name)
    for (const nested of nestedGraphs(entry)) collectNames(nested, into)
  }
}

/** Hands out names that occur nowhere in the model. */
export class NamePool {
  private readonly used = new Set<string>()

  constructor(index: GraphIndex) {
    for (const name of index.captured) this.used.add(name)
    for (const info of index.graph.input ?? []) this.used.add(info.name ?? '')
    for (const tensor of index.graph.initializer ?? []) this.used.add(tensor.name ?? '')
    for (const entry of index.nodes) {
      this.used.add(entry.name ?? '')
      for (const name of entry.output ?? []) this.used.add(name)
    }
  }

  take(wanted: string): string {
    let name = wanted
    for (let suffix = 1; this.used.has(name); suffix++) name = `${wanted}_${suffix}`
    this.used.add(name)
    return name
  }
}

/**
 * Assembles the rewritten model: drops nodes nobody reads any more (a Transpose of a weight that is now int8), weights
 * nobody reads, their entries among the inputs, and type information of values that are gone.
 */
export function rebuild(
  model: ModelProto,
  nodes: readonly NodeProto[],
  added: readonly TensorProto[],
): ModelProto {
  const graph = model.graph ?? {}
  const needed = new Set((graph.output ?? []).map(info => info.name ?? ''))
  const kept: NodeProto[] = []
  for (const entry of [...nodes].reverse()) {
    if (!(entry.output ?? []).some(name => needed.has(name))) continue
    kept.push(entry)
    for (const name of entry.input ?? []) needed.add(name)
    for (const nested of nestedGraphs(entry)) collectNames(nested, needed)
  }
  kept.reverse()
  const stored = new Set((graph.initializer ?? []).map(tensor => tensor.name ?? ''))
  const initializer = [...(graph.initializer ?? []), ...added].filter(({ name }) => needed.has(name ?? ''))
  const made = new Set(kept.flatMap(entry => entry.output ?? []))
  return {
    ...model,
    graph: {
      ...graph,
      node: kept,
      initializer,
      input: (graph.input ?? []).filter(({ name }) => !stored.has(name ?? '') || needed.has(name ?? '')),
      valueInfo: (graph.valueInfo ?? []).filter(({ name }) => made.has(name ?? '')),
    },
  }
}
