import { createPublicKey, type KeyObject } from 'node:crypto'
import {
  type Clock,
  encodeMessagePack,
  fault,
  type Log,
  type RuleBundle,
  rulesTopic,
  type Service,
  signBundle,
  signingKeyId,
  systemClock,
} from '@sightline/core'
import { type CompiledRules, compiledRules } from '../moderation/compiled-rules.ts'
import type { RecordStore, RuleDocument } from '../store/record-store.ts'
import { compileRules, type RuleModel } from './compile.ts'
import { starterRules } from './starter-rules.ts'
import {
  cannotWarnings,
  type PromptCheck,
  type RuleWarning,
  validateRule,
  validateRules,
} from './validate.ts'

/** Every device of a site; finer groups have names of their own. */
const GROUP = 'all'

export interface RuleMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: 1
  readonly retain: true
}

export interface RuleDeskOptions {
  readonly store: Pick<RecordStore, 'rules' | 'putRules' | 'nodes'>
  readonly model: RuleModel & PromptCheck
  readonly publish: (message: RuleMessage) => Promise<void>
  readonly log: Log
  readonly signer?: KeyObject
  /** Sites that get the rules before any of their devices has reported. */
  readonly sites?: readonly string[] | undefined
  readonly clock?: Clock | undefined
}

/** The rules in force: keeps them, compiles them for the hub's model and sends them to every site. */
export class RuleDesk implements Service {
  readonly name = 'rules'
  readonly #options: RuleDeskOptions
  readonly #clock: Clock
  readonly #sites: Set<string>
  #document: RuleDocument = { version: 0, updatedAt: 0, rules: [] }
  #compiled: CompiledRules | undefined
  #payload: Uint8Array | undefined
  /** Changes happen one after the other, in the order in which they were asked for. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(options: RuleDeskOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#sites = new Set(options.sites)
  }

  /** Seeds the starter rules on the first start of a store; compiles and publishes what is in force. */
  async start(): Promise<void> {
    const { store, model } = this.#options
    const kept = store.rules()
    const document = kept ?? { version: 1, updatedAt: this.#clock.now(), rules: starterRules() }
    for (const { site } of store.nodes()) this.#sites.add(site)
    const bundle = await compileRules(document, model)
    const payload = encodeMessagePack(bundle)
    if (kept === undefined) await store.putRules(document)
    this.#document = document
    this.#payload = payload
    this.#compiled = compiledRules(document, bundle)
    await Promise.all([...this.#sites].map(site => this.#send(site)))
  }

  async stop(): Promise<void> {
    await this.#last
  }

  get(): RuleDocument {
    return this.#document
  }

  /** What is in force, as devices with the hub's model have it. @throws NOT_READY before `start` is done */
  compiled(): CompiledRules {
    if (this.#compiled === undefined) throw fault('NOT_READY', 'the rules are still being compiled')
    return this.#compiled
  }

  warnings(): RuleWarning[] {
    return cannotWarnings(this.#document.rules, this.#options.model.manifest.cannot)
  }

  /**
   * Replaces all rules. When the promise resolves they are stored, and sent to every known site.
   * @param expectedVersion the version that the change was made from; omitted: whatever is in force is replaced.
   * @throws RULES_INVALID with every fault by its path in `details.faults`; RULES_CONFLICT; STORE_FAILED; MODEL_*. The
   * rules in force then stay.
   */
  put(rules: unknown, expectedVersion?: number): Promise<RuleDocument> {
    const change = this.#last.then(() => this.#replace(rules, expectedVersion))
    this.#last = change.catch(() => undefined)
    return change
  }

  /**
   * One rule as devices would get it, without putting it in force; a disabled one as if it were enabled.
   * @throws RULES_INVALID with paths like `rule.off`; MODEL_*
   */
  async compileOne(given: unknown): Promise<RuleBundle> {
    const { model } = this.#options
    const rule = validateRule(given, { fitsContext: model.fitsContext?.bind(model) })
    const version = Math.max(1, this.#document.version)
    return compileRules({ version, updatedAt: 0, rules: [{ ...rule, enabled: true }] }, model)
  }

  /** Sends the rules to a site that was not known before. */
  async addSite(site: string): Promise<void> {
    if (this.#sites.has(site)) return
    this.#sites.add(site)
    if (this.#payload !== undefined) await this.#send(site)
  }

  async #replace(given: unknown, expectedVersion: number | undefined): Promise<RuleDocument> {
    const { store, model, log } = this.#options
    const { version } = this.#document
    if (expectedVersion !== undefined && expectedVersion !== version) {
      throw fault(
        'RULES_CONFLICT',
        `the rules are at version ${version}, the change was made from ${expectedVersion}`,
        {
          details: { version },
        },
      )
    }
    const fits = model.fitsContext?.bind(model)
    const rules = validateRules(given, { fitsContext: fits })
    // Devices order bundles by this: it must grow even when the hub's clock was set back.
    const updatedAt = Math.max(this.#clock.now(), this.#document.updatedAt + 1)
    const document = { version: version + 1, updatedAt, rules }
    const bundle = await compileRules(document, model)
    const payload = encodeMessagePack(bundle)
    await store.putRules(document)
    this.#document = document
    this.#payload = payload
    this.#compiled = compiledRules(document, bundle)
    log.info({ version: document.version, rules: rules.length, bytes: payload.byteLength }, 'rules changed')
    await Promise.all([...this.#sites].map(site => this.#send(site)))
    return document
  }

  /** A bundle that could not be sent is in force all the same: it goes out with the next change or start. */
  async #send(site: string): Promise<void> {
    const { model, publish, log, signer } = this.#options
    const topic = rulesTopic(site, GROUP, model.fingerprint)
    const bundle = this.#payload!
    const payload =
      signer === undefined
        ? bundle
        : encodeMessagePack({
            v: 1,
            keyId: signingKeyId(signer),
            signature: signBundle(signer, topic, bundle),
            publicKey: createPublicKey(signer).export({ format: 'der', type: 'spki' }),
            bundle,
          })
    try {
      await publish({ topic, payload, qos: 1, retain: true })
      log.debug({ site, version: this.#document.version }, 'rules published')
    } catch (err) {
      log.error({ err, site, version: this.#document.version }, 'rules not published')
    }
  }
}
