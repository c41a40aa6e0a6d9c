import { dotRow } from '@sightline/core'
import hnswlib from 'hnswlib-node'
import { type IndexEntry, indexEntries, type RuleVectors } from './rule-vectors.ts'

const M = 32
const EF_CONSTRUCTION = 200
/** A beam this wide visits the whole graph of a usual rule set and has recall 1 in practice on larger ones. */
const MIN_EF = 512
const FIRST_K = 16
/** Entries added between two turns of the event loop: hnswlib is synchronous, cameras must go on. */
const BUILD_SLICE = 32
/** float32 distances of unit vectors err by less; what lies this near the edge is decided by the exact product. */
const MARGIN_SLACK = 1e-4
const PROBES = 16

type Graph = InstanceType<typeof hnswlib.HierarchicalNSW>

/** A positive prompt that a frame reaches. */
export interface Match {
  readonly entry: IndexEntry
  readonly similarity: number
}

/**
 * Finds every positive prompt p whose rule's gate a frame f reaches: margin(p, f) = p·f - minSimilarity >= 0.
 *
 * Each rule has its own gate, so the nearest prompts are not the ones with the best margin. The gate goes into the
 * vector: x = (p, -minSimilarity) and q = (f, 1) give q·x = margin. That is a maximum inner product search, and graph
 * search wants a metric; norms of x differ by the gate. So one more coordinate makes all norms equal M,
 * x' = (x, sqrt(M² - |x|²)), q' = (q, 0), after Bachrach et al. 2014 (Speeding up the Xbox recommender system using a
 * Euclidean transformation for inner-product spaces), and with |q'|² = 2
 *
 *   |q' - x'|² = 2 + M² - 2 margin
 *
 * so that L2 neighbours come in order of margin. k grows until the worst neighbour's margin is negative: what comes
 * later is worse. The graph proposes; the exact product decides.
 */
export class RuleIndex {
  readonly #vectors: RuleVectors
  readonly #entries: readonly IndexEntry[]
  readonly #graph: Graph
  readonly #squaredNorm: number
  /** Entries that a whole traversal did not meet; checked one by one. Almost always empty. */
  readonly #unreached: readonly number[]
  /** What the last frame needed: the next one is likely to need as many. */
  #k = FIRST_K

  private constructor(
    vectors: RuleVectors,
    entries: readonly IndexEntry[],
    graph: Graph,
    unreached?: number[],
  ) {
    this.#vectors = vectors
    this.#entries = entries
    this.#graph = graph
    this.#squaredNorm = squaredNorm(entries)
    this.#unreached = unreached ?? this.#probe()
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
    return new RuleIndex(vectors, entries, graph)
  }

  /** Reads what `save` wrote for the same vectors. The file's checksum must have been verified: hnswlib does not. */
  static read(vectors: RuleVectors, path: string): RuleIndex {
    const graph = newGraph(vectors)
    graph.readIndexSync(path)
    return new RuleIndex(vectors, indexEntries(vectors), graph)
  }

  save(path: string): void {
    this.#graph.writeIndexSync(path)
  }

  get size(): number {
    return this.#entries.length
  }

  /** @param frame L2-normalised, of length dim */
  matches(frame: Float32Array): Match[] {
    const found: Match[] = []
    for (const label of this.#candidates(frame)) {
      const entry = this.#entries[label]!
      const similarity = dotRow(this.#vectors.matrix, entry.row, frame)
      if (similarity >= entry.minSimilarity) found.push({ entry, similarity })
    }
    return found
  }

  #candidates(frame: Float32Array): readonly number[] {
    const count = this.#entries.length
    if (count === 0) return []
    const query = [...frame, 1, 0]
    for (let k = Math.min(this.#k, count); ; k = Math.min(k * 4, count)) {
      this.#graph.setEf(Math.min(count + 1, Math.max(MIN_EF, 2 * k)))
      const { distances, neighbors } = this.#graph.searchKnn(query, k)
      const worst = (2 + this.#squaredNorm - distances.at(-1)!) / 2
      if (k === count || worst < -MARGIN_SLACK) {
        this.#k = Math.max(FIRST_K, this.#needed(distances))
        return this.#unreached.length === 0 ? neighbors : [...new Set([...neighbors, ...this.#unreached])]
      }
    }
  }

  /** Twice the neighbours that were above the edge, so that a slightly busier frame needs no second search. */
  #needed(distances: readonly number[]): number {
    const edge = 2 + this.#squaredNorm
    let above = 0
    while (above < distances.length && distances[above]! <= edge) above++
    return 2 * above
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

/** M²: that of the longest (p, -minSimilarity), with room for norms of p that are 1 within 1e-3. */
function squaredNorm(entries: readonly IndexEntry[]): number {
  return 1.01 + entries.reduce((most, { minSimilarity }) => Math.max(most, minSimilarity ** 2), 0)
}

function point({ bundle, matrix }: RuleVectors, { row, minSimilarity }: IndexEntry, norm: number): number[] {
  const prompt = matrix.subarray(row * bundle.dim, (row + 1) * bundle.dim)
  const rest = norm - dotRow(matrix, row, prompt) - minSimilarity ** 2
  return [...prompt, -minSimilarity, Math.sqrt(Math.max(0, rest))]
}
