import { type ClipModel, fault, type Rule, type RuleBundle, vectorToBytes } from '@sightline/core'
import { meanDirection } from '@sightline/core/clip/text-encoder.js'
import type { RuleDocument } from '../store/record-store.ts'
import { withTemplates } from './validate.ts'

/**
 * What every rule competes with besides its own negatives: the plain contents of a camera picture. Without them a rule
 * with no negatives would always score 1.
 */
export const NEUTRAL_PROMPTS = [
  'a photo',
  'an empty scene',
  'a landscape',
  'a person',
  'people in a street',
  'a building',
  'an empty room',
  'an object on a table',
  'the sky',
  'trees and grass',
] as const

export type RuleModel = Pick<ClipModel, 'manifest' | 'fingerprint' | 'dim' | 'encodeTexts'>

/**
 * The document as devices with this model evaluate it. A prompt's vector is the mean of its template texts' vectors, of
 * unit length again; the same prompt with the same templates is one row. Disabled rules are left out. The same
 * document and model give the same bundle.
 * @throws RULES_INVALID when a prompt's template texts cancel out; TEXT_INVALID, MODEL_*.
 */
export async function compileRules(document: RuleDocument, model: RuleModel): Promise<RuleBundle> {
  const rows = new PromptRows()
  const neutral = NEUTRAL_PROMPTS.map(prompt => rows.rowOf([prompt]))
  const rules = document.rules
    .filter(rule => rule.enabled)
    .map(({ enabled: _, sites: __, groups: ___, templates, positives, negatives, ...rule }: Rule) => {
      const rowsOf = (prompts: readonly string[]) =>
        prompts.map(prompt => rows.rowOf(withTemplates({ templates }, prompt)))
      return {
        ...rule,
        positives: rowsOf(positives),
        negatives: rowsOf(negatives),
        positiveExamples: [],
        negativeExamples: [],
      }
    })
  return {
    v: 1,
    version: document.version,
    issuedAt: document.updatedAt,
    fingerprint: model.fingerprint,
    dim: model.dim,
    logitScale: model.manifest.logitScale,
    rules,
    neutral,
    vectors: vectorToBytes(await rows.embed(model)),
  }
}

/** Prompts, each the texts that are averaged for it, numbered without repetition. */
class PromptRows {
  readonly #rows = new Map<string, { readonly row: number; readonly texts: readonly string[] }>()

  rowOf(texts: readonly string[]): number {
    const key = JSON.stringify(texts)
    const known = this.#rows.get(key)
    if (known !== undefined) return known.row
    const row = this.#rows.size
    this.#rows.set(key, { row, texts })
    return row
  }

  /** Row-major [rows, dim]. */
  async embed(model: RuleModel): Promise<Float32Array> {
    const texts = new Set([...this.#rows.values()].flatMap(prompt => prompt.texts))
    const vectors = new Map<string, Float32Array>()
    // One by one: an INT8 tower that scales activations over the batch gives a text another vector in other company,
    // and the same rules must always score alike. Searches get their turn in between.
    for (const text of texts) vectors.set(text, (await model.encodeTexts([text]))[0]!)
    const matrix = new Float32Array(this.#rows.size * model.dim)
    for (const { row, texts: parts } of this.#rows.values())
      matrix.set(average(parts, vectors), row * model.dim)
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
