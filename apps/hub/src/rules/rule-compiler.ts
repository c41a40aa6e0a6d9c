import { createHash } from 'node:crypto'
import { type Rule, type RuleBundle, vectorToBytes } from '@sightline/core'
import type { FindingsPlan } from '../moderation/backtest-findings.ts'
import type { RecordStore, RuleDocument } from '../store/record-store.ts'
import { compileRules, type RuleModel } from './compile.ts'
import { type Examples, examplesOf } from './examples.ts'
import {
  type Lesson,
  type LessonReport,
  learn,
  MAX_LESSON,
  type Sample,
  samplesOf,
  type Teach,
} from './learning.ts'
import type { PromptCache } from './prompt-cache.ts'
import type { RuleModels } from './rule-models.ts'
import type { RuleWarning } from './validate.ts'

const MAX_LESSONS = 10_000

/** What reviewers say, and what is made of it. */
export interface Lessons {
  readonly store: Pick<RecordStore, 'frameByOrd'>
  /** Reviewed frames of a rule, the newest word first. */
  readonly labelsOf: (rule: Rule['id']) => FindingsPlan['labels']
  /** Default: a calibration alone. */
  readonly teach?: Teach | undefined
}

export interface RuleCompilerOptions {
  readonly prompts: PromptCache
  readonly examples: Examples
  readonly models: Pick<RuleModels, 'use'>
  /** Undefined: rules do not learn. */
  readonly lessons?: Lessons | undefined
}

export interface Compilation {
  /** All enabled rules, for every site and group. */
  readonly bundle: RuleBundle
  readonly warnings: readonly RuleWarning[]
  readonly learnt: ReadonlyMap<Rule['id'], LessonReport>
}

/** Compiles with all that the hub keeps: vectors of prompts and examples, and what reviewers said. */
export class RuleCompiler {
  readonly #options: RuleCompilerOptions
  /** By rule and model, what was learnt last and from what. */
  readonly #learnt = new Map<string, { readonly key: string; readonly lesson: Lesson }>()

  constructor(options: RuleCompilerOptions) {
    this.#options = options
  }

  /** @throws RULES_INVALID, TEXT_INVALID, MODEL_*, STORE_FAILED */
  async compile(document: RuleDocument, model: RuleModel): Promise<Compilation> {
    const { prompts, examples, lessons } = this.#options
    const warnings: RuleWarning[] = []
    const learnt = new Map<string, LessonReport>()
    const bundle = await compileRules(document, model, {
      textVectors: (texts, of) => prompts.vectors(texts, of),
      exampleVector: (id, of) => examples.vector(id, of),
      onLeftOut: (rule, example) =>
        warnings.push({
          rule,
          message: `The example ${example} was seen by another model and left no picture: devices with ${model.fingerprint} go without it.`,
        }),
      ...(lessons === undefined
        ? {}
        : {
            learn: async (rule, context, matrix) => {
              const written = document.rules.find(({ id }) => id === rule.id)
              const frames = reviewedFrames(lessons, written!, context.fingerprint)
              if (frames.length === 0) return undefined
              const lesson = await this.#lesson(
                `${rule.id} ${context.fingerprint}`,
                samplesOf(rule, context, matrix, frames),
              )
              learnt.set(rule.id, lesson.report)
              return lesson
            },
          }),
    })
    return { bundle, warnings, learnt }
  }

  /** A rule that has nothing new to learn from is not taught again. */
  async #lesson(of: string, samples: readonly Sample[]): Promise<Lesson> {
    const hash = createHash('sha256')
    for (const { vector, logit, positive } of samples)
      hash.update(vectorToBytes(vector)).update(JSON.stringify([logit, positive]))
    const key = hash.digest('hex')
    const known = this.#learnt.get(of)
    if (known?.key === key) return known.lesson
    const lesson = await learn(samples, this.#options.lessons?.teach)
    // The oldest makes room.
    if (this.#learnt.size >= MAX_LESSONS) this.#learnt.delete(this.#learnt.keys().next().value!)
    this.#learnt.set(of, { key, lesson })
    return lesson
  }

  /** For a model that the hub does not run. @throws RULES_MODEL_MISSING, and as `compile` */
  compileFor(document: RuleDocument, fingerprint: string): Promise<Compilation> {
    const pictures = examplesOf(document.rules.filter(rule => rule.enabled)).size > 0
    return this.#options.models.use(fingerprint, pictures, model => this.compile(document, model))
  }
}

/** In the order of storage, so that the same reviews teach the same whoever came first. */
function reviewedFrames({ store, labelsOf }: Lessons, rule: Rule, fingerprint: string) {
  const examples = examplesOf([rule])
  return labelsOf(rule.id)
    .slice(0, MAX_LESSON)
    .toSorted((a, b) => a.ord - b.ord)
    .flatMap(({ ord, positive }) => {
      const frame = store.frameByOrd(ord)
      // An example of the rule speaks for itself already: it would teach that examples are always right.
      return frame?.fingerprint === fingerprint && !examples.has(frame.id)
        ? [{ vector: frame.vector, positive }]
        : []
    })
}
