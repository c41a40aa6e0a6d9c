import { performance } from 'node:perf_hooks'
import { fault } from '@sightline/core/errors.js'
import { type Feeds, openSession, runFloats, type SessionSource, withSession } from './runtime.ts'

/** How near a model's outputs are to the float model's, over the measuring samples. */
export interface Agreement {
  readonly mean: number
  /** 1st percentile (nearest rank). */
  readonly p1: number
  readonly min: number
  /**
   * Mean cosine after the float model's mean output is taken away from both. Embeddings of one model share a large common
   * part that flatters the plain cosine; this is what is left to search by. Null with fewer than 8 samples.
   */
  readonly centred: number | null
  /** Share of samples whose nearest other sample is the same as in float; null with fewer than 8 samples. */
  readonly neighbours: number | null
}

const MIN_SAMPLES_FOR_STRUCTURE = 8

export function cosine(a: Float32Array, b: Float32Array): number {
  let dot = 0
  let aa = 0
  let bb = 0
  for (let at = 0; at < a.length; at++) {
    dot += a[at]! * b[at]!
    aa += a[at]! * a[at]!
    bb += b[at]! * b[at]!
  }
  if (aa === 0 && bb === 0) return 1
  const value = dot / Math.sqrt(aa * bb)
  return Number.isFinite(value) ? value : 0
}

/** Runs the float model once and compares variants with it. */
export class Reference {
  readonly samples: readonly Feeds[]
  private readonly outputs: readonly Map<string, Float32Array>[]

  private constructor(samples: readonly Feeds[], outputs: readonly Map<string, Float32Array>[]) {
    this.samples = samples
    this.outputs = outputs
  }

  /** @throws QUANTISE_UNSUPPORTED when the float model does not run or has no float32 output */
  static async of(source: SessionSource, samples: readonly Feeds[]): Promise<Reference> {
    const outputs = await runAll(source, samples)
    if (outputs[0]?.size === 0)
      throw fault('QUANTISE_UNSUPPORTED', 'the model has no float32 output to compare')
    return new Reference(samples, outputs)
  }

  /** Where a model has several outputs, each sample counts with its worst. `limit` looks at the first samples only. */
  async compare(variant: SessionSource, limit = this.samples.length): Promise<Agreement> {
    const outputs = await runAll(variant, this.samples.slice(0, limit))
    const cosines = outputs.map((output, at) => {
      const each = [...this.outputs[at]!].map(([name, values]) =>
        cosine(values, output.get(name) ?? values.map(() => 0)),
      )
      return Math.min(...each)
    })
    return { ...summarise(cosines), ...this.structure(outputs) }
  }

  /** The samples' vectors under both models: the output named, or the only one. Undefined when that cannot be told. */
  async vectors(
    variant: SessionSource,
    names: readonly string[],
  ): Promise<{ float: Float32Array[]; variant: Float32Array[] } | undefined> {
    const known = [...this.outputs[0]!.keys()]
    const name = known.length === 1 ? known[0] : names.find(each => known.includes(each))
    if (name === undefined) return undefined
    const outputs = await runAll(variant, this.samples)
    const of = (each: readonly Map<string, Float32Array>[]) => each.map(output => output.get(name)!)
    return { float: of(this.outputs), variant: of(outputs) }
  }

  private structure(
    outputs: readonly Map<string, Float32Array>[],
  ): Pick<Agreement, 'centred' | 'neighbours'> {
    const name = [...this.outputs[0]!.keys()][0]!
    const float = this.outputs.slice(0, outputs.length).map(output => output.get(name)!)
    const dim = float[0]?.length ?? 0
    // Sequences of different lengths have no common mean.
    if (float.length < MIN_SAMPLES_FOR_STRUCTURE || float.some(({ length }) => length !== dim)) {
      return { centred: null, neighbours: null }
    }
    const mean = Float32Array.from(
      { length: dim },
      (_, at) => float.reduce((sum, v) => sum + v[at]!, 0) / float.length,
    )
    const centre = (vector: Float32Array) => vector.map((value, at) => value - mean[at]!)
    const a = float.map(centre)
    const b = outputs.map(output => centre(output.get(name)!))
    const same = a.filter((_, at) => nearest(a, at) === nearest(b, at)).length
    return { centred: average(a.map((vector, at) => cosine(vector, b[at]!))), neighbours: same / a.length }
  }
}

const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

function nearest(vectors: readonly Float32Array[], at: number): number {
  let best = -1
  let bestCosine = -Infinity
  for (let other = 0; other < vectors.length; other++) {
    if (other === at) continue
    const value = cosine(vectors[at]!, vectors[other]!)
    if (value > bestCosine) [best, bestCosine] = [other, value]
  }
  return best
}

export function summarise(cosines: readonly number[]): Pick<Agreement, 'mean' | 'p1' | 'min'> {
  const sorted = [...cosines].sort((a, b) => a - b)
  return { mean: average(sorted), p1: sorted[Math.ceil(0.01 * sorted.length) - 1]!, min: sorted[0]! }
}

async function runAll(
  source: SessionSource,
  samples: readonly Feeds[],
): Promise<Map<string, Float32Array>[]> {
  return withSession(source, async session => {
    const results: Map<string, Float32Array>[] = []
    for (const feeds of samples) results.push(await runFloats(session, feeds))
    return results
  })
}

export interface Speed {
  readonly floatMs: number
  readonly quantisedMs: number
  /** How many times faster than float. */
  readonly ratio: number
}

/** Median time of single runs on one thread, both models in turn so that a busy machine slows both alike. */
export async function compareSpeed(
  float: SessionSource,
  quantised: SessionSource,
  feeds: Feeds,
  runs = 9,
): Promise<Speed> {
  const sessions = [await openSession(float, 1), await openSession(quantised, 1)]
  const times: number[][] = [[], []]
  try {
    for (let run = -1; run < runs; run++) {
      for (const [which, session] of sessions.entries()) {
        const start = performance.now()
        await runFloats(session, feeds)
        if (run >= 0) times[which]!.push(performance.now() - start)
      }
    }
  } finally {
    for (const session of sessions) await session.release()
  }
  const [floatMs, quantisedMs] = times.map(list => list.sort((a, b) => a - b)[list.length >> 1]!) as [
    number,
    number,
  ]
  return { floatMs, quantisedMs, ratio: floatMs / quantisedMs }
}
