import { type CompiledRule, dotRow } from '@sightline/core'
import hnswlib from 'hnswlib-node'
import { type IndexEntry, indexEntries, type RuleVectors } from './rule-vectors.ts'

const M = 32
const EF_CONSTRUCTION = 200
/** A beam this wide has recall 1 in practice on sets of tens of thousands (bench/rules.ts compares every frame). */
const MIN_EF = 512
const FIRST_K = 16
/** Entries added between two turns of the event loop: hnswlib is synchronous, cameras must go on. */
const BUILD_SLICE = 32
/** float32 distances of unit vectors err by less; what lies this near the edge is decided by the exact product. */
const MARGIN_SLACK = 1e-4
const PROBES = 16

type Graph = InstanceType<typeof hnswlib.HierarchicalNSW>

/**
 * Proposes the rules whose gate a frame f reaches: those with a positive prompt or example p of gate g (`minSimilarity`
 * or `minExampleSimilarity`) such that margin(p, f) = p·f - g >= 0.
 *
 * Each entry has its own gate, so the nearest are not the ones with the best margin. The gate goes into the
 * vector: x = (p, -g) and q = (f, 1) give q·x = margin. That is a maximum inner product search, and graph
 * search wants a metric; norms of x differ by the gate. So one more coordinate makes all norms equal M,
 * x' = (x, sqrt(M² - |x|²)), q' = (q, 0), after Bachrach et al. 2014 (Speeding up the Xbox recommender system using a
 * Euclidean transformation for inner-product spaces), and with |q'|² = 2
 *
 *   |q' - x'|² = 2 + M² - 2 margin
 *
 * so that L2 neighbours come in order of margin. k grows until the worst neighbour's margin is negative: what comes
 * later is worse. The graph proposes; the exact product, at the scorer's, decides.
 */
export class RuleIndex {
  readonly #entries: readonly IndexEntry[]
  readonly #graph: Graph
  readonly #squaredNorm: number
  /** Entries that a whole traversal did not meet; always proposed. Almost always empty. */
  readonly #unreached: readonly number[]
  /** What the last frame needed: the next one is likely to need as many. */
  #k = FIRST_K

  private constructor(entries: readonly IndexEntry[], graph: Graph) {
    this.#entries = entries
    this.#graph = graph
    this.#squaredNorm = squaredNorm(entries)
    this.#unreached = this.#probe()
  }

  /** Takes about half a millisecond an entry, in slices between which other work goes on. */
  static async build(vectors: RuleVectors): Promise<RuleIndex> {
    const entries = indexEntries(vectors)
    const graph = newGraph(vectors)
    graph.initIndex({ maxElements: Math.max(1, entries.length), m: M, efConstruction: EF_CONSTRUCTION })
    const norm = squaredNorm(entries)
    for (const [label, entry] of entries.entries()) {
      graph.addPoint(point(vectors, entry, norm), label)
      if (label % BUILD_SLICE === BUILD_SLICE - 1) await new Promise(setImmediate)
    }
    return new RuleIndex(entries, graph)
  }

  /** Reads what `save` wrote for the same vectors. The file's checksum must have been verified: hnswlib does not. */
  static read(vectors: RuleVectors, path: string): RuleIndex {
    const graph = newGraph(vectors)
    graph.readIndexSync(path)
    return new RuleIndex(indexEntries(vectors), graph)
  }

  save(path: string): void {
    this.#graph.writeIndexSync(path)
  }

  get size(): number {
    return this.#entries.length
  }

  /**
   * All rules whose gate the frame reaches, and a few that it just misses.
   * @param frame L2-normalised, of length dim
   */
  propose(frame: Float32Array): ReadonlySet<CompiledRule> {
    const rules = new Set<CompiledRule>()
    for (const label of this.#candidates(frame)) {
      for (const rule of this.#entries[label]!.rules) rules.add(rule)
    }
    return rules
  }

  #candidates(frame: Float32Array): readonly number[] {
    const count = this.#entries.length
    if (count === 0) return []
    const query = [...frame, 1, 0]
    const edge = 2 + this.#squaredNorm + 2 * MARGIN_SLACK
    for (let k = Math.min(this.#k, count); ; k = Math.min(k * 4, count)) {
      this.#graph.setEf(Math.min(count + 1, Math.max(MIN_EF, 2 * k)))
      const { distances, neighbors } = this.#graph.searchKnn(query, k)
      if (k < count && distances.at(-1)! <= edge) continue
      const beyond = distances.findIndex(distance => distance > edge)
      const near = beyond < 0 ? neighbors : neighbors.slice(0, beyond)
      // Twice as many, so that a slightly busier frame needs no second search.
      this.#k = Math.max(FIRST_K, 2 * near.length)
      return [...near, ...this.#unreached]
    }
  }

  /**
   * HNSW prunes links, and a point may be left without any that leads to it. With ef above the number of points a
   * search walks all that its starting point reaches; what any of several walks missed is not left to the graph.
   */
  #probe(): number[] {
    const count = this.#entries.length
    const unreached = new Set<number>()
    if (count === 0) return []
    this.#graph.setEf(count + 1)
    for (let probe = 0; probe < Math.min(PROBES, count); probe++) {
      const start = Math.floor((probe * count) / PROBES) % count
      const { neighbors } = this.#graph.searchKnn(this.#graph.getPoint(start), count)
      if (neighbors.length === count) continue
      const met = new Set(neighbors)
      for (let label = 0; label < count; label++) if (!met.has(label)) unreached.add(label)
    }
    return [...unreached]
  }
}

function newGraph({ bundle }: RuleVectors): Graph {
  return new hnswlib.HierarchicalNSW('l2', bundle.dim + 2)
}

/** M²: that of the longest (p, -gate), with room for norms of p that are 1 within 1e-3. */
function squaredNorm(entries: readonly IndexEntry[]): number {
  return 1.01 + entries.reduce((most, { gate }) => Math.max(most, gate ** 2), 0)
}

function point({ bundle, matrix }: RuleVectors, { row, gate }: IndexEntry, norm: number): number[] {
  const prompt = matrix.subarray(row * bundle.dim, (row + 1) * bundle.dim)
  const rest = norm - dotRow(matrix, row, prompt) - gate ** 2
  return [...prompt, -gate, Math.sqrt(Math.max(0, rest))]
}
