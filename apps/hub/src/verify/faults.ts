/** Examples of each kind of fault; all are counted. */
const MAX_EXAMPLES = 5

export const FAULT_KINDS = [
  'vector missing',
  'vector not of unit length',
  'vector of another length than its model',
  'id leads elsewhere',
  'not listed under its camera',
  'not listed under its tag',
  'thumbnail missing',
  'orphan vector',
  'orphan thumbnail',
  'orphan id',
  'orphan tag',
  'index damaged',
  'index out of reach',
  'missing from the index',
] as const
export type FaultKind = (typeof FAULT_KINDS)[number]

export interface FaultCount {
  readonly kind: FaultKind
  readonly count: number
  readonly examples: readonly string[]
}

export class Faults {
  readonly #found = new Map<FaultKind, { count: number; examples: string[] }>()

  add(kind: FaultKind, example: string): void {
    const known = this.#found.get(kind) ?? { count: 0, examples: [] }
    known.count++
    if (known.examples.length < MAX_EXAMPLES) known.examples.push(example)
    this.#found.set(kind, known)
  }

  list(): FaultCount[] {
    return [...this.#found].map(([kind, found]) => ({ kind, ...found }))
  }
}
