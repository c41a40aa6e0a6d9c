import type { Rule, RuleBundle } from '@sightline/core'
import type { FindingsPlan } from '../moderation/backtest-findings.ts'
import type { RecordStore, RuleDocument } from '../store/record-store.ts'
import { compileRules, type RuleModel } from './compile.ts'
import { type Examples, examplesOf } from './examples.ts'
import { type FitHead, type LessonReport, learn, MAX_LESSON, samplesOf } from './learning.ts'
import type { PromptCache } from './prompt-cache.ts'
import type { RuleModels } from './rule-models.ts'
import type { RuleWarning } from './validate.ts'

/** What reviewers say, and what is made of it. */
export interface Lessons {
  readonly store: Pick<RecordStore, 'frameByOrd'>
  /** Reviewed frames of a rule, the newest word first. */
  readonly labelsOf: (rule: Rule['id']) => FindingsPlan['labels']
  /** Default: no head is fitted. */
  readonly fitHead?: FitHead | undefined
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
              const frames = reviewedFrames(lessons, rule.id, context.fingerprint)
              if (frames.length === 0) return undefined
              const lesson = learn(samplesOf(rule, context, matrix, frames), lessons.fitHead)
              learnt.set(rule.id, lesson.report)
              // Many rules that learn must not keep everything else waiting.
              await new Promise(resolve => setImmediate(resolve))
              return lesson
            },
          }),
    })
    return { bundle, warnings, learnt }
  }

  /** For a model that the hub does not run. @throws RULES_MODEL_MISSING, and as `compile` */
  compileFor(document: RuleDocument, fingerprint: string): Promise<Compilation> {
    const pictures = examplesOf(document.rules.filter(rule => rule.enabled)).size > 0
    return this.#options.models.use(fingerprint, pictures, model => this.compile(document, model))
  }
}

/** In the order of storage, so that the same reviews teach the same whoever came first. */
function reviewedFrames({ store, labelsOf }: Lessons, rule: string, fingerprint: string) {
  return labelsOf(rule)
    .slice(0, MAX_LESSON)
    .toSorted((a, b) => a.ord - b.ord)
    .flatMap(({ ord, positive }) => {
      const frame = store.frameByOrd(ord)
      return frame?.fingerprint === fingerprint ? [{ vector: frame.vector, positive }] : []
    })
}
