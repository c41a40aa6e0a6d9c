import {
  type ClipModel,
  type CompiledRule,
  fault,
  type Rule,
  type RuleBundle,
  vectorToBytes,
} from '@sightline/core'
import { meanDirection } from '@sightline/core/clip/text-encoder.js'
import { NEUTRAL_PROMPTS } from '@sightline/core/moderation/starter-rules.js'
import type { RuleDocument } from '../store/record-store.ts'
import type { Lesson } from './learning.ts'
import { withTemplates } from './validate.ts'

export { NEUTRAL_PROMPTS }

/** Of one bundle's vectors: devices take no larger binary in a message than 64 MiB. */
const MAX_MATRIX_BYTES = 60 * 2 ** 20

export type RuleModel = Pick<ClipModel, 'manifest' | 'fingerprint' | 'dim' | 'encodeTexts'> &
  Partial<Pick<ClipModel, 'encodeImages'>>

/** What a compilation may know besides the words. */
export interface CompileHelp {
  /** Unit vectors by text, where they are kept; default: the model embeds all of them. */
  readonly textVectors?: (texts: Iterable<string>, model: RuleModel) => Promise<Map<string, Float32Array>>
  /** Undefined: there is none in this model's space, and the rule goes without that example. */
  readonly exampleVector?: (id: string, model: RuleModel) => Promise<Float32Array | undefined>
  /** What the rule learnt from reviews; its rows are those of `matrix`, [rows, dim]. */
  readonly learn?: (
    rule: CompiledRule,
    bundle: Pick<RuleBundle, 'neutral' | 'logitScale' | 'fingerprint'>,
    matrix: Float32Array,
  ) => Promise<Lesson | undefined>
  /** Hears of examples that a rule goes without. */
  readonly onLeftOut?: (rule: string, example: string) => void
}

/**
 * The document as devices with this model evaluate it, for all sites and groups. A prompt's vector is the mean of its
 * template texts' vectors, of unit length again; the same prompt with the same templates is one row. Disabled rules are
 * left out. The same document, model and reviews give the same bundle.
 * @throws RULES_INVALID when a prompt's template texts cancel out, or the vectors exceed what devices take; TEXT_INVALID,
 * MODEL_*.
 */
export async function compileRules(
  document: RuleDocument,
  model: RuleModel,
  help: CompileHelp = {},
): Promise<RuleBundle> {
  const rows = new Rows(model.dim)
  const neutral = NEUTRAL_PROMPTS.map(prompt => rows.rowOf([prompt]))
  const enabled = document.rules.filter(rule => rule.enabled)
  const rules: CompiledRule[] = enabled.map(
    ({ enabled: _, sites: __, groups: ___, templates, positives, negatives, ...rule }: Rule) => {
      const rowsOf = (prompts: readonly string[]) =>
        prompts.map(prompt => rows.rowOf(withTemplates({ templates }, prompt)))
      return {
        ...rule,
        positives: rowsOf(positives),
        negatives: rowsOf(negatives),
        positiveExamples: [],
        negativeExamples: [],
      }
    },
  )
  await rows.embed(texts => (help.textVectors ?? embedAll)(texts, model))
  for (const [i, { id, positiveExamples, negativeExamples }] of enabled.entries()) {
    const rowsOf = async (examples: readonly string[]) => {
      const found: number[] = []
      for (const example of examples) {
        const vector = await help.exampleVector?.(example, model)
        if (vector === undefined) help.onLeftOut?.(id, example)
        else found.push(rows.add(vector))
      }
      return found
    }
    rules[i]!.positiveExamples = await rowsOf(positiveExamples)
    rules[i]!.negativeExamples = await rowsOf(negativeExamples)
  }
  const shared = { fingerprint: model.fingerprint, logitScale: model.manifest.logitScale, neutral }
  if (help.learn !== undefined) {
    const matrix = rows.matrix()
    for (const rule of rules) {
      const lesson = await help.learn(rule, shared, matrix)
      if (lesson?.head !== undefined) {
        const { vector, scale, bias } = lesson.head
        rule.head = { row: rows.add(vector), scale, bias }
      }
      if (lesson?.calibration !== undefined) rule.calibration = lesson.calibration
    }
  }
  const matrix = rows.matrix()
  if (matrix.byteLength > MAX_MATRIX_BYTES)
    throw fault(
      'RULES_INVALID',
      `rules: ${matrix.byteLength} bytes of prompt and example vectors; devices take ${MAX_MATRIX_BYTES}`,
    )
  return {
    v: 1,
    version: document.version,
    issuedAt: document.updatedAt,
    fingerprint: shared.fingerprint,
    dim: model.dim,
    logitScale: shared.logitScale,
    rules,
    neutral,
    vectors: vectorToBytes(matrix),
  }
}

/** One by one: see `PromptCache`. */
async function embedAll(texts: Iterable<string>, model: RuleModel): Promise<Map<string, Float32Array>> {
  const vectors = new Map<string, Float32Array>()
  for (const text of texts) vectors.set(text, (await model.encodeTexts([text]))[0]!)
  return vectors
}

/** Rows of the matrix: prompts, each the texts that are averaged for it, without repetition; then whatever is added. */
class Rows {
  readonly #dim: number
  readonly #prompts = new Map<string, { readonly row: number; readonly texts: readonly string[] }>()
  readonly #vectors: Float32Array[] = []

  constructor(dim: number) {
    this.#dim = dim
  }

  rowOf(texts: readonly string[]): number {
    const key = JSON.stringify(texts)
    const known = this.#prompts.get(key)
    if (known !== undefined) return known.row
    const row = this.#prompts.size
    this.#prompts.set(key, { row, texts })
    return row
  }

  /** To be called once, after the last `rowOf`. */
  async embed(vectorsOf: (texts: Iterable<string>) => Promise<Map<string, Float32Array>>): Promise<void> {
    const prompts = [...this.#prompts.values()]
    const vectors = await vectorsOf(new Set(prompts.flatMap(({ texts }) => texts)))
    for (const { texts } of prompts) this.#vectors.push(average(texts, vectors))
  }

  add(vector: Float32Array): number {
    return this.#vectors.push(vector) - 1
  }

  /** Row-major [rows, dim], as of now. */
  matrix(): Float32Array {
    const matrix = new Float32Array(this.#vectors.length * this.#dim)
    for (const [row, vector] of this.#vectors.entries()) matrix.set(vector, row * this.#dim)
    return matrix
  }
}

function average(texts: readonly string[], vectors: ReadonlyMap<string, Float32Array>): Float32Array {
  try {
    return meanDirection(texts.map(text => vectors.get(text)!))
  } catch (cause) {
    throw fault('RULES_INVALID', `the templates of "${texts[0]}" contradict one another`, { cause })
  }
}
