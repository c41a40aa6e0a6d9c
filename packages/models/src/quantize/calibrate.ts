import { fault } from '@sightline/core/errors.js'
import type { GraphIndex } from '../onnx/graph.ts'
import { DataType, type ModelProto, valueInfo } from '../onnx/proto.ts'
import { Histogram, type Range } from './histogram.ts'
import type { Progress } from './progress.ts'
import { type Feeds, runFloats, type SessionSource, withSession } from './runtime.ts'

export type CalibrationMethod = 'minmax' | 'percentile' | 'entropy'

/** Values of exposed tensors that one run may hold at a time. */
const MAX_EXPOSED_BYTES = 256 * 2 ** 20
const FIRST_CHUNK = 8

export interface CalibrationInput {
  readonly source: SessionSource
  readonly index: GraphIndex
  readonly tensors: readonly string[]
  readonly samples: readonly Feeds[]
}

/**
 * Runs the float model over the samples and records how each tensor's values are distributed. The tensors are exposed as
 * outputs chunk by chunk; the first run of a chunk tells how many fit into memory for the next.
 * @throws QUANTISE_UNSUPPORTED when a tensor is not float32 or holds NaN
 */
export async function collectHistograms(
  { source, index, tensors, samples }: CalibrationInput,
  progress: Progress,
): Promise<Map<string, Histogram>> {
  const histograms = new Map(tensors.map(name => [name, new Histogram()]))
  const fed = new Set(index.feedNames())
  for (const name of tensors.filter(tensor => fed.has(tensor))) {
    for (const feeds of samples) histograms.get(name)!.add(feeds[name]!.data as Float32Array)
  }
  const inner = tensors.filter(tensor => !fed.has(tensor))
  progress.start('calibrate', inner.length)
  for (let start = 0, size = FIRST_CHUNK; start < inner.length; ) {
    const chunk = inner.slice(start, start + size)
    let bytes = 0
    await withSession({ ...source, model: exposing(source.model, chunk) }, async session => {
      for (const feeds of samples) {
        const values = await runFloats(session, feeds, chunk)
        bytes = 0
        for (const name of chunk) {
          const found = values.get(name)
          if (!found) throw fault('QUANTISE_UNSUPPORTED', `the activation ${name} is not float32`)
          bytes += found.byteLength
          histograms.get(name)!.add(found)
        }
      }
    })
    start += chunk.length
    progress.advance(start)
    size = Math.max(1, Math.min(64, Math.floor((MAX_EXPOSED_BYTES * chunk.length) / Math.max(bytes, 1))))
  }
  for (const [name, { min, max }] of histograms) {
    if (!Number.isFinite(min) || !Number.isFinite(max)) {
      throw fault('QUANTISE_UNSUPPORTED', `the activation ${name} is empty, NaN or infinite on the samples`)
    }
  }
  return histograms
}

function exposing(model: ModelProto, names: readonly string[]): ModelProto {
  const graph = model.graph ?? {}
  const known = new Set((graph.output ?? []).map(info => info.name))
  const added = names.filter(name => !known.has(name)).map(name => valueInfo(name, DataType.FLOAT))
  return { ...model, graph: { ...graph, output: [...(graph.output ?? []), ...added] } }
}

/** The range of each tensor under one method. `percentile` is 0..100 and used by that method alone. */
export function rangesOf(
  histograms: ReadonlyMap<string, Histogram>,
  method: CalibrationMethod,
  percentile: number,
): Map<string, Range> {
  const range = (histogram: Histogram): Range => {
    if (method === 'minmax') return histogram.minMax()
    if (method === 'percentile') return histogram.percentile(percentile)
    return histogram.entropy(histogram.min >= 0 ? 255 : 128)
  }
  return new Map([...histograms].map(([name, histogram]) => [name, range(histogram)]))
}
