import { type CompiledRule, dotRow, fault, type RuleBundle } from '@sightline/core'

/** A checked bundle with its vectors as floats. */
export interface RuleVectors {
  readonly bundle: RuleBundle
  /** Row-major [rows, dim], each row L2-normalised. */
  readonly matrix: Float32Array
  readonly rows: number
}

/**
 * Checks what the schema cannot: that the vectors are whole, finite and of unit length, that every index names a row,
 * and that no two rules share an id.
 * @throws RULES_INVALID
 */
export function ruleVectors(bundle: RuleBundle): RuleVectors {
  const { dim, vectors, version } = bundle
  const refuse = (reason: string) => fault('RULES_INVALID', `bundle ${version}: ${reason}`)
  if (vectors.byteLength % (dim * 4) !== 0) {
    throw refuse(`${vectors.byteLength} bytes of vectors are not rows of ${dim} float32`)
  }
  const rows = vectors.byteLength / (dim * 4)
  // A copy, since a Float32Array needs an aligned buffer (and slice() of a Buffer would not be one).
  const matrix = new Float32Array(new Uint8Array(vectors).buffer)
  for (let row = 0; row < rows; row++) {
    const vector = matrix.subarray(row * dim, (row + 1) * dim)
    // Also false for NaN: hnswlib would take it and answer nonsense.
    if (!(Math.abs(Math.sqrt(dotRow(matrix, row, vector)) - 1) <= 1e-3)) {
      throw refuse(`vector ${row} is not L2-normalised`)
    }
  }
  const ids = new Set<string>()
  const check = (list: readonly (number | undefined)[], where: string) => {
    const wrong = list.find(row => row !== undefined && row >= rows)
    if (wrong !== undefined) throw refuse(`${where} names vector ${wrong} of ${rows}`)
  }
  for (const { id, positives, negatives, positiveExamples, negativeExamples, head } of bundle.rules) {
    if (ids.has(id)) throw refuse(`two rules have the id ${id}`)
    ids.add(id)
    for (const list of [positives, negatives, positiveExamples, negativeExamples, [head?.row]]) {
      check(list, `rule ${id}`)
    }
  }
  check(bundle.neutral, 'the neutral set')
  return { bundle, matrix, rows }
}

/** A positive prompt or example with the similarity that it must reach; rules that share both share the entry. */
export interface IndexEntry {
  readonly row: number
  readonly gate: number
  readonly rules: readonly CompiledRule[]
}

/** Equal points make HNSW graphs fall apart, and rule packs repeat prompts: equal content is one entry. */
export function indexEntries({ bundle, matrix }: RuleVectors): IndexEntry[] {
  const { dim } = bundle
  const entries = new Map<string, { row: number; gate: number; rules: CompiledRule[] }>()
  const add = (rule: CompiledRule, row: number, gate: number) => {
    const content = Buffer.from(matrix.buffer, row * dim * 4, dim * 4).toString('latin1')
    const key = `${gate} ${content}`
    const entry = entries.get(key)
    if (entry === undefined) entries.set(key, { row, gate, rules: [rule] })
    else if (entry.rules.at(-1) !== rule) entry.rules.push(rule)
  }
  for (const rule of bundle.rules) {
    for (const row of rule.positives) add(rule, row, rule.minSimilarity)
    for (const row of rule.positiveExamples) add(rule, row, rule.minExampleSimilarity)
  }
  return [...entries.values()]
}

/** Positive prompts and examples, each once: the rows that gates are about. */
export function gateRows({ bundle }: RuleVectors): number[] {
  return [...new Set(bundle.rules.flatMap(rule => [...rule.positives, ...rule.positiveExamples]))]
}
