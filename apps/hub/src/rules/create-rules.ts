import { join } from 'node:path'
import type { ClipModel, Clock, Log } from '@sightline/core'
import type { HubSettings } from '../settings.ts'
import type { RecordStore } from '../store/record-store.ts'
import { BundleShelf } from './bundle-shelf.ts'
import { Distributor, type RuleMessage } from './distributor.ts'
import { Examples } from './examples.ts'
import { Learner } from './learner.ts'
import type { Teach } from './learning.ts'
import { PromptCache } from './prompt-cache.ts'
import { type Lessons, RuleCompiler } from './rule-compiler.ts'
import { RuleDesk } from './rule-desk.ts'
import { RuleHistory } from './rule-history.ts'
import { RuleModels, type RuleModelsOptions } from './rule-models.ts'
import { openRuleDatabase, type RuleDatabase } from './rule-tables.ts'
import { openSigningKey, type SigningKey } from './signing-key.ts'

export interface CreateRulesOptions {
  readonly settings: Pick<HubSettings, 'sites' | 'store' | 'moderation'>
  readonly paths: Omit<RuleModelsOptions, 'log'> & { readonly dir: string }
  readonly store: RecordStore
  readonly model: ClipModel
  readonly publish: (message: RuleMessage) => Promise<void>
  readonly labelsOf: Lessons['labelsOf']
  /** Default: rules learn a calibration alone. */
  readonly teach?: Teach | undefined
  readonly clock: Clock
  readonly log: Log
}

export interface RuleParts {
  readonly rules: RuleDesk
  /** Undefined where rules do not learn. */
  readonly learner: Learner | undefined
  readonly examples: Examples
  readonly history: RuleHistory
  readonly distributor: Distributor
  readonly prompts: PromptCache
  readonly key: SigningKey
  readonly db: RuleDatabase
  readonly learning: boolean
}

/** Everything about rules, joined: the part of the composition root that `hub.ts` would be too long with. */
export async function createRules(options: CreateRulesOptions): Promise<RuleParts> {
  const { settings, paths, store, model, clock, log, labelsOf, teach } = options
  const { learnFromReviews, learnDelaySeconds } = settings.moderation
  const key = await openSigningKey(join(paths.dir, 'keys'))
  const { minFreeBytes } = settings.store
  const db = openRuleDatabase({ dir: join(paths.dir, 'rules'), clock, minFreeBytes })
  const prompts = new PromptCache({ db })
  const examples = new Examples({ db, store, clock })
  const history = new RuleHistory({ db })
  const compiler = new RuleCompiler({
    prompts,
    examples,
    models: new RuleModels({ ...paths, log }),
    lessons: learnFromReviews ? { store, labelsOf, teach } : undefined,
  })
  const distributor = new Distributor({
    store,
    shelf: new BundleShelf({ db, key, clock }),
    compiler,
    publish: options.publish,
    log,
    fingerprint: model.fingerprint,
    sites: settings.sites,
    clock,
  })
  const rules = new RuleDesk({ store, model, compiler, examples, history, distributor, log, clock })
  const learner = learnFromReviews
    ? new Learner({ rules, delayMs: learnDelaySeconds * 1000, clock, log })
    : undefined
  return { rules, learner, examples, history, distributor, prompts, key, db, learning: learnFromReviews }
}
