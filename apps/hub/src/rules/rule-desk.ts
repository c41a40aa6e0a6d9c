import {
  type ClipModel,
  type Clock,
  fault,
  isFault,
  type Log,
  type Rule,
  type RuleBundle,
  type SchemaFault,
  type Service,
} from '@sightline/core'
import { type CompiledRules, compiledRules } from '../moderation/compiled-rules.ts'
import type { RecordStore, RuleDocument } from '../store/record-store.ts'
import type { RuleModel } from './compile.ts'
import type { Distributor } from './distributor.ts'
import { type Examples, examplesOf, withExamples } from './examples.ts'
import type { LessonReport } from './learning.ts'
import type { Compilation, RuleCompiler } from './rule-compiler.ts'
import type { RuleCheck } from './rule-faults.ts'
import type { Origin, RuleHistory } from './rule-history.ts'
import { starterRules } from './starter-rules.ts'
import {
  cannotWarnings,
  type RuleWarning,
  reachWarnings,
  validateRule,
  validateRules,
  withDefaults,
} from './validate.ts'

/** Whoever changes the rules when nobody says who. */
const LOCAL = 'local'

export interface RuleDeskOptions {
  readonly store: Pick<RecordStore, 'rules' | 'putRules' | 'nodes'>
  readonly model: RuleModel & Partial<Pick<ClipModel, 'fitsContext'>>
  readonly compiler: RuleCompiler
  readonly examples: Examples
  readonly history: RuleHistory
  readonly distributor: Distributor
  readonly log: Log
  readonly clock: Clock
}

export interface ChangeOptions {
  /** The version that the change was made from; omitted: whatever is in force is changed. */
  readonly expectedVersion?: number | undefined
  readonly actor?: string | undefined
}

type Edit = (rules: readonly Rule[]) => unknown

/** The rules in force: keeps them and every version of them, compiles them and has them sent to the fleet. */
export class RuleDesk implements Service {
  readonly name = 'rules'
  readonly #options: RuleDeskOptions
  readonly #listeners = new Set<(document: RuleDocument) => void>()
  #document: RuleDocument = { version: 0, updatedAt: 0, rules: [] }
  #compilation: Compilation | undefined
  #compiled: CompiledRules | undefined
  /** Changes happen one after the other, in the order in which they were asked for. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: RuleDeskOptions) {
    this.#options = options
  }

  /** Seeds the starter rules on the first start of a store; compiles and publishes what is in force. */
  async start(): Promise<void> {
    const { store, model, compiler, history, distributor, clock } = this.#options
    const kept = store.rules()
    const document =
      kept === undefined
        ? { version: 1, updatedAt: clock.now(), rules: starterRules() }
        : { ...kept, rules: withDefaults(kept.rules) }
    const compilation = await compiler.compile(document, model)
    await history.start(document)
    if (kept === undefined) await store.putRules(document)
    this.#take(document, compilation)
    await distributor.start()
    await distributor.distribute(document, compilation.bundle)
  }

  async stop(): Promise<void> {
    await this.#last
    await this.#options.distributor.stop()
  }

  /** Returns what ends the subscription. */
  onChange(listener: (document: RuleDocument) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get(): RuleDocument {
    return this.#document
  }

  /** @throws API_NOT_FOUND */
  rule(id: string): Rule {
    const rule = this.#document.rules.find(each => each.id === id)
    if (rule === undefined) throw fault('API_NOT_FOUND', `there is no rule ${id}`)
    return rule
  }

  /** What is in force, as devices with the hub's model have it. @throws NOT_READY before `start` is done */
  compiled(): CompiledRules {
    if (this.#compiled === undefined) throw fault('NOT_READY', 'the rules are still being compiled')
    return this.#compiled
  }

  warnings(): RuleWarning[] {
    return [...this.#warningsOf(this.#document.rules), ...(this.#compilation?.warnings ?? [])]
  }

  /** What each rule learnt from reviews, as far as it has any of the hub's model. */
  learnt(): ReadonlyMap<Rule['id'], LessonReport> {
    return this.#compilation?.learnt ?? new Map()
  }

  /**
   * Replaces all rules. When the promise resolves they are stored, and sent to every site.
   * @param expectedVersion the version that the change was made from; omitted: whatever is in force is replaced.
   * @throws RULES_INVALID with every fault by its path in `details.faults`; RULES_CONFLICT; STORE_FAILED; MODEL_*. The
   * rules in force then stay.
   */
  put(rules: unknown, expectedVersion?: number, actor = LOCAL): Promise<RuleDocument> {
    return this.#change(() => rules, { actor }, expectedVersion)
  }

  /** Adds one rule, at the end. @throws RULES_CONFLICT when there is one of that id; and as `put`, with paths like `rule.off` */
  add(given: unknown, options: ChangeOptions = {}): Promise<RuleDocument> {
    return this.#edit(rules => {
      const rule = validateRule(given, this.#check)
      if (rules.some(({ id }) => id === rule.id))
        throw fault('RULES_CONFLICT', `there is a rule ${rule.id} already`)
      return [...rules, rule]
    }, options)
  }

  /** Replaces one rule where it stands, or adds it. @throws API_BAD_REQUEST for another id in it; and as `add` */
  set(id: string, given: unknown, options: ChangeOptions = {}): Promise<RuleDocument> {
    return this.#edit(rules => {
      const rule = validateRule(given, this.#check)
      if (rule.id !== id) throw fault('API_BAD_REQUEST', `rule.id: ${rule.id} is not ${id}`)
      return rules.some(each => each.id === id)
        ? rules.map(each => (each.id === id ? rule : each))
        : [...rules, rule]
    }, options)
  }

  /** @throws API_NOT_FOUND; and as `put` */
  remove(id: string, options: ChangeOptions = {}): Promise<RuleDocument> {
    return this.#edit(rules => {
      if (!rules.some(rule => rule.id === id)) throw fault('API_NOT_FOUND', `there is no rule ${id}`)
      return rules.filter(rule => rule.id !== id)
    }, options)
  }

  /** Adds those whose ids are not there yet. @returns the ids that were added; without any nothing changes */
  async addMissing(given: readonly Rule[], actor = LOCAL): Promise<string[]> {
    const known = new Set(this.#document.rules.map(({ id }) => id))
    if (given.every(({ id }) => known.has(id))) return []
    let added: string[] = []
    await this.#edit(
      rules => {
        const there = new Set(rules.map(({ id }) => id))
        const fresh = given.filter(({ id }) => !there.has(id))
        added = fresh.map(({ id }) => id)
        return [...rules, ...fresh]
      },
      { actor },
    )
    return added
  }

  /** Puts the rules of an earlier version in force again, as a new one. @throws API_NOT_FOUND; and as `put` */
  restore(version: number, { expectedVersion, actor = LOCAL }: ChangeOptions = {}): Promise<RuleDocument> {
    const { examples, history } = this.#options
    const { rules } = history.version(version)
    // Those that were forgotten since are no reason to keep the rules from coming back.
    const known = () => rules.map(rule => withExamples(rule, id => examples.has(id)))
    return this.#change(known, { actor, restored: version }, expectedVersion)
  }

  /**
   * Forgets copies of stored frames, and takes them out of the rules that name them, which are sent again.
   * @throws STORE_FAILED, MODEL_*
   */
  forgetExamples(ids: readonly string[], actor: string): Promise<void> {
    const gone = new Set(ids)
    return this.#queued(async () => {
      const named = examplesOf(this.#document.rules)
      const { examples } = this.#options
      if (ids.some(id => named.has(id)))
        await this.#replace(
          this.#document.rules.map(rule => withExamples(rule, id => !gone.has(id))),
          { actor },
        )
      await examples.forget(ids)
    })
  }

  /** What `put` would say of these rules, without putting them in force. */
  check(given: unknown): {
    readonly faults: readonly SchemaFault[]
    readonly warnings: readonly RuleWarning[]
    /** With their defaults filled in; none when there are faults. */
    readonly rules: readonly Rule[]
  } {
    try {
      const rules = validateRules(given, this.#check)
      return { faults: [], warnings: this.#warningsOf(rules), rules }
    } catch (error) {
      if (!isFault(error, 'RULES_INVALID')) throw error
      return { faults: error.details.faults as SchemaFault[], warnings: [], rules: [] }
    }
  }

  /**
   * One rule as devices would get it, without putting it in force; a disabled one as if it were enabled. It learns from
   * the reviews of the rule of that id.
   * @throws RULES_INVALID with paths like `rule.off`; MODEL_*
   */
  async compileOne(given: unknown): Promise<{ readonly bundle: RuleBundle; readonly rule: Rule }> {
    const { compiler, model } = this.#options
    const rule = { ...validateRule(given, this.#check), enabled: true }
    const version = Math.max(1, this.#document.version)
    const { bundle } = await compiler.compile({ version, updatedAt: 0, rules: [rule] }, model)
    return { bundle, rule }
  }

  /** Compiles the rules in force anew, for what reviewers have said since; sends what came out otherwise. */
  relearn(): Promise<void> {
    return this.#queued(async () => {
      if (this.#compiled === undefined) return
      const { compiler, model, distributor } = this.#options
      const compilation = await compiler.compile(this.#document, model)
      this.#take(this.#document, compilation)
      await distributor.distribute(this.#document, compilation.bundle)
    })
  }

  #edit(edit: Edit, { expectedVersion, actor = LOCAL }: ChangeOptions): Promise<RuleDocument> {
    return this.#change(edit, { actor }, expectedVersion)
  }

  #change(edit: Edit, origin: Origin, expectedVersion: number | undefined): Promise<RuleDocument> {
    return this.#queued(() => {
      const { version } = this.#document
      if (expectedVersion !== undefined && expectedVersion !== version) {
        throw fault(
          'RULES_CONFLICT',
          `the rules are at version ${version}, the change was made from ${expectedVersion}`,
          { details: { version } },
        )
      }
      return this.#replace(validateRules(edit(this.#document.rules), this.#check), origin)
    })
  }

  async #replace(rules: readonly Rule[], origin: Origin): Promise<RuleDocument> {
    const { store, model, compiler, examples, history, distributor, log, clock } = this.#options
    const updatedAt = Math.max(clock.now(), this.#document.updatedAt + 1)
    const document = { version: this.#document.version + 1, updatedAt, rules }
    await examples.keep(examplesOf(rules))
    const compilation = await compiler.compile(document, model)
    await history.add(document, this.#document.rules, origin)
    await store.putRules(document)
    this.#take(document, compilation)
    log.info({ version: document.version, rules: rules.length, actor: origin.actor }, 'rules changed')
    await distributor.distribute(document, compilation.bundle)
    return document
  }

  #queued<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  #take(document: RuleDocument, compilation: Compilation): void {
    this.#document = document
    this.#compilation = compilation
    this.#compiled = compiledRules(document, compilation.bundle)
    for (const listener of this.#listeners) listener(document)
  }

  get #check(): RuleCheck {
    const { model, examples } = this.#options
    return { fitsContext: model.fitsContext?.bind(model), knowsExample: id => examples.has(id) }
  }

  #warningsOf(rules: readonly Rule[]): RuleWarning[] {
    const { model, store } = this.#options
    const places = store
      .nodes()
      .flatMap(({ site, node, state }) =>
        state === null
          ? []
          : [{ site, node, group: state.rulesGroup, cameras: state.cameras.map(({ camera }) => camera) }],
      )
    return [...cannotWarnings(rules, model.manifest.cannot), ...reachWarnings(rules, places)]
  }
}
