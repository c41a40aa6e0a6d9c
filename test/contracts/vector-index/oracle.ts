import type { IndexEntry, IndexFilter, IndexHit, VectorIndex } from '@sightline/hub/index/vector-index.js'

/** Every match, sorted: what the contract promises, in as few words as possible. */
export function expected(
  entries: readonly IndexEntry[],
  query: Float32Array,
  k: number,
  filter: IndexFilter = {},
): IndexHit[] {
  return entries
    .filter(passes(filter))
    .map(({ ord, capturedAt, vector }) => ({ ord, capturedAt, similarity: dot(vector, query) }))
    .sort(byRank)
    .slice(0, k)
}

/** The ords of all that the filter lets through. */
export function passing(entries: readonly IndexEntry[], filter: IndexFilter): Set<number> {
  return new Set(entries.filter(passes(filter)).map(({ ord }) => ord))
}

function passes({ sources, labels, ords, from = -Infinity, to = Infinity }: IndexFilter) {
  return (entry: IndexEntry): boolean =>
    (sources?.includes(entry.source) ?? true) &&
    (labels === undefined || (entry.labels ?? []).some(label => labels.includes(label))) &&
    (ords?.includes(entry.ord) ?? true) &&
    entry.capturedAt >= from &&
    entry.capturedAt < to
}

// A loop: this runs some hundred million times.
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

export function byRank(a: IndexHit, b: IndexHit): number {
  return b.similarity - a.similarity || b.capturedAt - a.capturedAt || b.ord - a.ord
}

/** Share of the wanted that was found. */
export function recall(found: readonly IndexHit[], wanted: readonly IndexHit[]): number {
  const ords = new Set(found.map(({ ord }) => ord))
  return wanted.filter(({ ord }) => ords.has(ord)).length / wanted.length
}

/** Recall@10 over the queries. */
export async function meanRecall(
  index: VectorIndex,
  entries: readonly IndexEntry[],
  queries: readonly Float32Array[],
  filter?: IndexFilter,
) {
  let sum = 0
  for (const query of queries)
    sum += recall(await index.search({ vector: query, k: 10, filter }), expected(entries, query, 10, filter))
  return sum / queries.length
}
