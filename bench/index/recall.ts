export type Search = (query: Float32Array) => Promise<readonly number[]>
export type Answers = readonly (readonly number[])[]

export async function answersOf(search: Search, queries: readonly Float32Array[]): Promise<Answers> {
  const found: (readonly number[])[] = []
  for (const query of queries) found.push(await search(query))
  return found
}

/** Share of the true neighbours that were found; 1 where there are none. */
export function recallOf(found: Answers, exact: Answers): number {
  let [hits, wanted] = [0, 0]
  for (const [i, truth] of exact.entries()) {
    const got = new Set(found[i])
    hits += truth.filter(ord => got.has(ord)).length
    wanted += truth.length
  }
  return wanted === 0 ? 1 : hits / wanted
}
