import { createHash } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeMessagePack, fault, isFault, type Log, messageOf, RuleBundle } from '@sightline/core'
import { isTimeZone } from '@sightline/core/moderation/schedule.js'
import { writeDurably } from '../durable-file.ts'
import { Backgrounds } from './backgrounds.ts'
import { loadOrBuildIndex } from './rule-index-file.ts'
import { RuleTrust, type VerifiedRules } from './rule-trust.ts'
import { type RuleVectors, ruleVectors } from './rule-vectors.ts'
import { Scorer } from './scorer.ts'

const DIGEST_BYTES = 32
const MAX_ERROR_CHARS = 500

export interface VectorSpace {
  readonly fingerprint: string
  readonly dim: number
}

export interface RuleCacheOptions {
  readonly dir: string
  /** Of the model that encodes the frames. */
  readonly space: VectorSpace
  /** Where its rules come from; part of what is signed. */
  readonly topic: string
  /** Who may sign rules, see `RuleTrust`. */
  readonly trustedKeys?: readonly string[] | undefined
  readonly log: Log
  /** The version or the error changed. */
  readonly onChange?: () => void
}

/**
 * The rules in force, kept on disk as they came, signature included, so that a device judges frames without its hub. Who
 * signed them is verified before anything of them is decoded, and again when they are loaded.
 */
export class RuleCache {
  readonly #dir: string
  readonly #space: VectorSpace
  readonly #log: Log
  readonly #onChange: () => void
  readonly #trust: RuleTrust
  /** What the rules in force usually say on each camera. */
  readonly backgrounds: Backgrounds
  #current: Scorer | undefined
  #digest: string | undefined
  #error: string | undefined
  /** What is in force belongs to a group that the device has left: the next bundle may be older. */
  #leftGroup = false
  #queue: Promise<void> = Promise.resolve()

  /** @throws CONFIG_INVALID when a trusted key is no Ed25519 public key */
  constructor({ dir, space, topic, trustedKeys = [], log, onChange = () => {} }: RuleCacheOptions) {
    this.#dir = dir
    this.#space = space
    this.#log = log
    this.#onChange = onChange
    this.#trust = new RuleTrust({ path: join(dir, 'signer.json'), topic, trustedKeys, log })
    this.backgrounds = new Backgrounds({ path: join(dir, 'backgrounds.json'), log })
  }

  /** Replaced as a whole, between two frames; undefined until there is a bundle. */
  get current(): Scorer | undefined {
    return this.#current
  }

  /** 0 while there is none. */
  get version(): number {
    return this.#current?.version ?? 0
  }

  /** Why the newest bundle was rejected; undefined when it was applied. */
  get error(): string | undefined {
    return this.#error
  }

  /**
   * Loads what was saved. A damaged file costs the rules until the hub's retained bundle comes, never the agent.
   * @throws STORE_FAILED
   */
  async load(): Promise<void> {
    await mkdir(this.#dir, { recursive: true })
    await this.#trust.load()
    await this.backgrounds.load()
    const file = await readFile(this.#path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw fault('STORE_FAILED', `cannot read ${this.#path}: ${error.message}`, { cause: error })
    })
    if (file === undefined) return
    try {
      const payload = file.subarray(DIGEST_BYTES)
      const digest = digestOf(payload)
      if (digest !== file.toString('hex', 0, DIGEST_BYTES)) {
        throw fault('RULES_CACHE_DAMAGED', `the checksum of ${this.#path} is wrong`)
      }
      await this.#apply(digest, this.#check(this.#trust.verify(payload)))
    } catch (err) {
      this.#reject(err)
      this.#log.error({ err }, 'saved rules not usable; waiting for the hub')
      await rm(this.#path, { force: true })
    }
  }

  /** Checks, saves and applies a bundle as it came from the hub; one at a time, in the order of arrival. Never throws. */
  offer(payload: Uint8Array): Promise<void> {
    // A cleared retained message (MQTT 3.1.1, 3.3.1.3) takes no rules away.
    if (payload.length === 0) return Promise.resolve()
    this.#queue = this.#queue.then(() => this.#take(payload))
    return this.#queue
  }

  /** The next bundle comes from another topic, with a time of issue of its own; until then these rules stay in force. */
  moveTo(topic: string): void {
    this.#trust.moveTo(topic)
    this.#leftGroup = true
    this.#digest = undefined
  }

  /** Saves what was learnt of the backgrounds; the rules themselves are saved as they come. */
  async close(): Promise<void> {
    await this.#queue
    await this.backgrounds.save()
  }

  async #take(payload: Uint8Array): Promise<void> {
    const digest = digestOf(payload)
    // A retained message comes again with every subscription.
    if (digest === this.#digest) return
    try {
      const verified = this.#trust.verify(payload)
      const vectors = this.#check(verified)
      const { version } = vectors.bundle
      if (!this.#leftGroup && !isNewer(vectors.bundle, this.#current)) {
        throw fault('RULES_INVALID', `bundle ${version} is not newer than ${this.version}, which is in force`)
      }
      await this.#trust.adopt(verified.signer)
      const file = Buffer.concat([Buffer.from(digest, 'hex'), payload])
      await writeDurably(this.#path, file)
      await this.#apply(digest, vectors)
      this.#log.info({ version, rules: vectors.bundle.rules.length }, 'rules applied')
    } catch (err) {
      this.#reject(err)
      this.#log.warn({ err, inForce: this.version }, 'rules rejected')
    }
  }

  /** @throws PAYLOAD_INVALID, RULES_INVALID */
  #check({ bundle: bytes }: VerifiedRules): RuleVectors {
    const bundle = decodeMessagePack(RuleBundle, bytes)
    const { fingerprint, dim } = this.#space
    if (bundle.fingerprint !== fingerprint || bundle.dim !== dim) {
      const theirs = `${bundle.fingerprint} (${bundle.dim})`
      throw fault(
        'RULES_INVALID',
        `bundle ${bundle.version} is for ${theirs}, not for ${fingerprint} (${dim})`,
      )
    }
    checkTimeZones(bundle)
    return ruleVectors(bundle)
  }

  async #apply(digest: string, vectors: RuleVectors): Promise<void> {
    const index = await loadOrBuildIndex({
      vectors,
      bundleDigest: digest,
      dir: this.#dir,
      log: this.#log,
    })
    const scorer = new Scorer({ vectors, index, backgrounds: this.backgrounds })
    this.backgrounds.adopt(scorer.keys)
    this.#current = scorer
    this.#digest = digest
    this.#leftGroup = false
    this.#error = undefined
    this.#onChange()
  }

  #reject(error: unknown): void {
    const text = isFault(error) ? `${error.code}: ${error.message}` : messageOf(error)
    this.#error = text.slice(0, MAX_ERROR_CHARS)
    this.#onChange()
  }

  get #path(): string {
    return join(this.#dir, 'rules.bundle')
  }
}

/** A hub may know time zones that this device's runtime does not. */
function checkTimeZones({ rules, version }: RuleBundle): void {
  const zones = new Map(
    rules.flatMap(({ id, schedule }) => (schedule ? [[schedule.timeZone, id] as const] : [])),
  )
  for (const [zone, id] of zones) {
    if (isTimeZone(zone)) continue
    throw fault(
      'RULES_INVALID',
      `bundle ${version}: rule ${id} has the time zone ${zone}, which is not known here`,
    )
  }
}

/** By time of issue, then by version: a hub that was set up anew counts its versions from 1 again. */
function isNewer({ issuedAt, version }: RuleBundle, current: Scorer | undefined): boolean {
  if (current === undefined || issuedAt > current.issuedAt) return true
  return issuedAt === current.issuedAt && version > current.version
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
