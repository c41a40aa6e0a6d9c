import { createHash } from 'node:crypto'
import {
  type Clock,
  decodeMessagePack,
  encodeMessagePack,
  RuleBundle,
  rulesTopic,
  type SignedRules,
} from '@sightline/core'
import type { Audience } from './narrow.ts'
import type { RuleDatabase, SentBundle } from './rule-tables.ts'
import type { SigningKey } from './signing-key.ts'

/** Targets that are remembered besides those of the fleet. */
const MAX_TOPICS = 10_000

export interface Target extends Audience {
  readonly fingerprint: string
}

export interface RulePayload {
  readonly topic: string
  /** `SignedRules` as MessagePack. */
  readonly payload: Uint8Array
}

export interface BundleShelfOptions {
  readonly db: RuleDatabase
  readonly key: SigningKey
  readonly clock: Clock
}

/**
 * What was sent where, kept over restarts. The same content on the same topic is the same bytes for ever; other
 * content is newer than everything that the topic has seen, whatever the hub's clock says.
 */
export class BundleShelf {
  readonly #db: RuleDatabase
  readonly #key: SigningKey
  readonly #clock: Clock

  constructor({ db, key, clock }: BundleShelfOptions) {
    this.#db = db
    this.#key = key
    this.#clock = clock
  }

  /** The bundle as it goes out to a target. @throws STORE_FAILED */
  async put(target: Target, bundle: RuleBundle): Promise<RulePayload> {
    const { topics, contents } = this.#db.tables
    const topic = topicOf(target)
    const content = encodeMessagePack({ ...bundle, issuedAt: 0 })
    const digest = createHash('sha256').update(content).digest('hex')
    const known = topics.get(topic)
    if (known?.digest === digest) return this.#signed(topic, bundle, known.issuedAt)
    // Devices order bundles by this: it must grow even when the hub's clock was set back.
    const issuedAt = Math.max(this.#clock.now(), (known?.issuedAt ?? 0) + 1)
    const { site, group, fingerprint } = target
    const { version, rules } = bundle
    const row = { site, group, fingerprint, digest, issuedAt, version, rules: rules.length }
    await this.#db.write(() => {
      topics.put(topic, row)
      contents.put(digest, Buffer.from(content))
      this.#prune(known?.digest)
    })
    return this.#signed(topic, bundle, issuedAt)
  }

  /** What a topic holds, made again; undefined for a topic that was never sent to. */
  payload(topic: string): RulePayload | undefined {
    const row = this.#db.tables.topics.get(topic)
    const content = row && this.#db.tables.contents.get(row.digest)
    if (row === undefined || content === undefined) return undefined
    return this.#signed(topic, decodeMessagePack(RuleBundle, content), row.issuedAt)
  }

  sent(topic: string): SentBundle | undefined {
    return this.#db.tables.topics.get(topic)
  }

  topics(): string[] {
    return [...this.#db.tables.topics.getKeys()]
  }

  #signed(topic: string, bundle: RuleBundle, issuedAt: number): RulePayload {
    const bytes = encodeMessagePack({ ...bundle, issuedAt })
    const message: SignedRules = {
      v: 1,
      keyId: this.#key.keyId,
      publicKey: this.#key.publicKeyDer,
      signature: this.#key.sign(topic, bytes),
      bundle: bytes,
    }
    return { topic, payload: encodeMessagePack(message) }
  }

  /** Inside a transaction: contents that no topic holds any more, and the oldest topics beyond the limit. */
  #prune(replaced: string | undefined): void {
    const { topics, contents } = this.#db.tables
    const rows = [...topics.getRange()].sort((a, b) => b.value.issuedAt - a.value.issuedAt)
    for (const { key } of rows.slice(MAX_TOPICS)) topics.remove(key)
    const held = new Set(rows.slice(0, MAX_TOPICS).map(({ value }) => value.digest))
    if (replaced !== undefined && !held.has(replaced)) contents.remove(replaced)
    if (rows.length > MAX_TOPICS)
      for (const digest of [...contents.getKeys()]) if (!held.has(digest)) contents.remove(digest)
  }
}

/** @throws PAYLOAD_INVALID for names or a fingerprint that no topic can hold */
export function topicOf({ site, group, fingerprint }: Target): string {
  return rulesTopic(site, group, fingerprint)
}
