import { createPublicKey } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Clock,
  createLog,
  decodeMessagePack,
  fault,
  type NodeState,
  RuleBundle,
  SignedRules,
  systemClock,
  verifyBundle,
} from '@sightline/core'
import { BundleShelf } from '@sightline/hub/rules/bundle-shelf.js'
import { Distributor, type RuleMessage } from '@sightline/hub/rules/distributor.js'
import { Examples } from '@sightline/hub/rules/examples.js'
import type { Teach } from '@sightline/hub/rules/learning.js'
import { PromptCache } from '@sightline/hub/rules/prompt-cache.js'
import { type Lessons, RuleCompiler, type RuleCompilerOptions } from '@sightline/hub/rules/rule-compiler.js'
import { RuleDesk, type RuleDeskOptions } from '@sightline/hub/rules/rule-desk.js'
import { RuleHistory } from '@sightline/hub/rules/rule-history.js'
import { openRuleDatabase, type RuleDatabase } from '@sightline/hub/rules/rule-tables.js'
import { openSigningKey, type SigningKey } from '@sightline/hub/rules/signing-key.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

export const DIM = 16
export const FINGERPRINT = 'test:000000000000'
export const OTHER = 'other:111111111111'
const log = createLog({ name: 'test', level: 'silent' })

/** A text's vector follows from its letters. */
export const vectorOf = (text: string) =>
  randomUnit(
    DIM,
    seededRandom([...text].reduce((hash, char) => (Math.imul(hash, 31) + char.charCodeAt(0)) | 0, 7)),
  )

export function testModel(fingerprint = FINGERPRINT) {
  const embedded: string[] = []
  const model = {
    fingerprint,
    dim: DIM,
    manifest: { name: 'test', logitScale: 16, cannot: ['knife'] },
    encodeTexts: async (texts: readonly string[]) => {
      embedded.push(...texts)
      return texts.map(text => vectorOf(fingerprint === FINGERPRINT ? text : `${fingerprint} ${text}`))
    },
    encodeImages: async (images: readonly Uint8Array[]) =>
      images.map(image => vectorOf(`${fingerprint} picture of ${image.byteLength}`)),
  }
  return { embedded, model: model as unknown as RuleDeskOptions['model'] & typeof model }
}

/** What has been sent, by topic. */
export interface Sent {
  readonly topic: string
  readonly bundle: RuleBundle
  readonly payload: Uint8Array
}

/** The rules of a hub on a temporary directory, without broker and API. */
export class TestRules {
  readonly dir: string
  readonly store: RecordStore
  readonly key: SigningKey
  readonly #db: RuleDatabase
  readonly messages: RuleMessage[] = []
  now = 1000
  monotonicMs = 0
  readonly installed = new Set<string>()
  labels: ReturnType<Lessons['labelsOf']> = []
  teach: Teach | undefined
  publish = async (message: RuleMessage): Promise<void> => void this.messages.push(message)
  readonly own = testModel()
  readonly prompts: PromptCache
  readonly examples: Examples
  readonly history: RuleHistory

  private constructor(dir: string, store: RecordStore, key: SigningKey) {
    this.dir = dir
    this.store = store
    this.key = key
    this.#db = openRuleDatabase({ dir: join(dir, 'rules'), clock: systemClock, minFreeBytes: 0 })
    this.prompts = new PromptCache({ db: this.#db })
    this.examples = new Examples({ db: this.#db, store, clock: this.clock })
    this.history = new RuleHistory({ db: this.#db })
  }

  static async open(dir?: string): Promise<TestRules> {
    const root = dir ?? (await mkdtemp(join(tmpdir(), 'sightline-rules-')))
    const store = await openLmdbStore({ dir: join(root, 'store'), clock: systemClock, log, minFreeBytes: 0 })
    return new TestRules(root, store, await openSigningKey(join(root, 'keys')))
  }

  get db(): RuleDatabase {
    return this.#db
  }

  get clock(): Clock {
    return { ...systemClock, now: () => this.now, monotonic: () => this.monotonicMs }
  }

  /** A desk as after a start of the hub; earlier ones must not be used any more. */
  desk(options: { sites?: readonly string[]; learns?: boolean } = {}) {
    const { store, prompts, examples, history, clock } = this
    const models: RuleCompilerOptions['models'] = {
      use: async (fingerprint, _pictures, work) => {
        if (!this.installed.has(fingerprint)) throw fault('RULES_MODEL_MISSING', `no ${fingerprint}`)
        return work(testModel(fingerprint).model)
      },
    }
    const lessons = { store, labelsOf: () => this.labels, teach: this.teach }
    const compiler = new RuleCompiler({
      prompts,
      examples,
      models,
      lessons: options.learns === true ? lessons : undefined,
    })
    const distributor = new Distributor({
      store,
      shelf: new BundleShelf({ db: this.#db, key: this.key, clock }),
      compiler,
      publish: message => this.publish(message),
      log,
      fingerprint: FINGERPRINT,
      sites: options.sites ?? ['default'],
      clock,
    })
    const { model } = this.own
    const desk = new RuleDesk({ store, model, compiler, examples, history, distributor, log, clock })
    return { desk, distributor }
  }

  /** All that was sent, its signature checked. */
  sent(): Sent[] {
    const key = createPublicKey(this.key.publicKeyPem)
    return this.messages.map(({ topic, payload, qos, retain }) => {
      const { keyId, signature, bundle } = decodeMessagePack(SignedRules, payload)
      if (keyId !== this.key.keyId || !verifyBundle(key, topic, bundle, signature) || qos !== 1 || !retain)
        throw fault('PAYLOAD_INVALID', `badly signed: ${topic}`)
      return { topic, payload, bundle: decodeMessagePack(RuleBundle, bundle) }
    })
  }

  /** The newest on a topic. */
  last(topic: string): Sent | undefined {
    return this.sent().findLast(each => each.topic === topic)
  }

  async report(site: string, node: string, change: Partial<NodeState> = {}): Promise<void> {
    const state: NodeState = {
      v: 1,
      online: true,
      at: 1,
      session: '01JD0000000000000000000000',
      agent: '0',
      fingerprint: FINGERPRINT,
      provider: 'cpu',
      rulesGroup: 'all',
      rulesVersion: 0,
      configVersion: 0,
      cameras: [],
      ...change,
    }
    await this.store.updateNode(site, node, { seenAt: 1, state })
  }

  async close(): Promise<void> {
    await this.#db.close()
    await this.store.close()
  }

  async remove(): Promise<void> {
    await this.close()
    await rm(this.dir, { recursive: true, force: true })
  }
}

export function topicOf(site: string, group = 'all', fingerprint = FINGERPRINT): string {
  return `sightline/v1/${site}/rules/${group}/${fingerprint}`
}
