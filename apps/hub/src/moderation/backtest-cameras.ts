import type { ScanColumns } from './backtest-scan.ts'

/** All frames of a backtest, a column each. */
export interface FrameColumns {
  readonly ords: Float64Array
  readonly capturedAt: Float64Array
  readonly similarities: Float32Array
  readonly logits: Float32Array
  readonly reached: Uint8Array
  readonly cameras: readonly Camera[]
}

export interface Camera {
  /** site~node~camera */
  readonly source: string
  /** Positions of its frames in the order of capture, those of one moment in the order of storage. */
  readonly order: Uint32Array
}

/** Joins what several threads found, in whatever order. */
export function camerasOf(chunks: readonly ScanColumns[]): FrameColumns {
  const count = chunks.reduce((sum, chunk) => sum + chunk.count, 0)
  const columns = {
    ords: new Float64Array(count),
    capturedAt: new Float64Array(count),
    similarities: new Float32Array(count),
    logits: new Float32Array(count),
    reached: new Uint8Array(count),
  }
  const sources = new Uint32Array(count)
  const numbers = new Map<string, number>()
  // Storage order first: most cameras are then in the order of capture already.
  const inOrder = chunks.filter(chunk => chunk.count > 0).sort((a, b) => a.ords[0]! - b.ords[0]!)
  let start = 0
  for (const chunk of inOrder) {
    for (const name of chunk.names) if (!numbers.has(name)) numbers.set(name, numbers.size)
    const numberOf = chunk.names.map(name => numbers.get(name)!)
    for (const key of ['ords', 'capturedAt', 'similarities', 'logits', 'reached'] as const)
      columns[key].set(chunk[key].subarray(0, chunk.count), start)
    for (let i = 0; i < chunk.count; i++) sources[start + i] = numberOf[chunk.sources[i]!]!
    start += chunk.count
  }
  const orders = bySource(sources, numbers.size)
  const cameras = [...numbers]
    .map(([source, number]) => ({ source, order: orders[number]! }))
    .filter(({ order }) => order.length > 0)
  for (const { order } of cameras) sortByCapture(order, columns.capturedAt)
  return { ...columns, cameras }
}

function bySource(sources: Uint32Array, count: number): Uint32Array[] {
  const sizes = new Uint32Array(count)
  for (const source of sources) sizes[source]!++
  const orders = Array.from(sizes, size => new Uint32Array(size))
  sizes.fill(0)
  for (let position = 0; position < sources.length; position++) {
    const source = sources[position]!
    orders[source]![sizes[source]!++] = position
  }
  return orders
}

/** A backlog that was replayed after an outage lies behind the live frames that overtook it. */
function sortByCapture(order: Uint32Array, capturedAt: Float64Array): void {
  for (let i = 1; i < order.length; i++) {
    if (capturedAt[order[i]!]! < capturedAt[order[i - 1]!]!) {
      order.sort((a, b) => capturedAt[a]! - capturedAt[b]! || a - b)
      return
    }
  }
}
