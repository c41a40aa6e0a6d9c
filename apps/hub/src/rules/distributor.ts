import { type Clock, ERRORS, fault, isFault, type Log, messageOf, type RuleBundle } from '@sightline/core'
import type { NodeRecord, RecordStore, RuleDocument } from '../store/record-store.ts'
import { type BundleShelf, type RulePayload, type Target, topicOf } from './bundle-shelf.ts'
import { isFor, narrowed } from './narrow.ts'
import type { RuleCompiler } from './rule-compiler.ts'

/** Every device that names no other group. */
const GROUP = 'all'
/** A model that was missing may have been pulled since; looked for again when a device reports, at most so often. */
const RETRY_MS = 60_000

type ReportedNode = Pick<NodeRecord, 'site' | 'state'>

export interface RuleMessage extends RulePayload {
  readonly qos: 1
  readonly retain: true
}

export interface DistributorOptions {
  readonly store: Pick<RecordStore, 'nodes'>
  readonly shelf: BundleShelf
  readonly compiler: Pick<RuleCompiler, 'compileFor'>
  readonly publish: (message: RuleMessage) => Promise<void>
  readonly log: Log
  /** Of the model that the hub runs. */
  readonly fingerprint: string
  /** Sites that get the rules before any of their devices has reported. */
  readonly sites?: readonly string[] | undefined
  readonly clock: Clock
}

/** Why devices with a model get no rules. */
export interface TargetWarning {
  readonly code: string
  readonly message: string
  readonly remedy: string
}

export interface TargetState extends Target {
  /** Of the rules that were last sent; null before the first. */
  readonly version: number | null
  readonly issuedAt: number | null
  readonly rules: number | null
  readonly devices: readonly {
    readonly node: string
    readonly online: boolean
    readonly rulesVersion: number
    readonly rulesError: string | null
  }[]
  readonly warning: TargetWarning | null
}

/**
 * Sends each site, group and model of the fleet its part of the rules. Devices with the hub's model come first; for
 * others a model has to be opened, which happens in the background.
 */
export class Distributor {
  readonly #options: DistributorOptions
  readonly #warnings = new Map<string, TargetWarning & { readonly at: number }>()
  /** In force, and compiled for the hub's model. */
  #current: { readonly document: RuleDocument; readonly bundle: RuleBundle } | undefined
  #known = new Set<string>()
  /** Fingerprints that have yet to be compiled for. */
  readonly #waiting = new Set<string>()
  #others: Promise<void> = Promise.resolve()
  #last: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(options: DistributorOptions) {
    this.#options = options
  }

  /** Sends again what lies on topics that no device of the fleet asks for: the broker may have forgotten it. */
  async start(): Promise<void> {
    const { shelf } = this.#options
    const wanted = new Set(this.#targets().map(topicOf))
    for (const topic of shelf.topics()) {
      const held = wanted.has(topic) ? undefined : shelf.payload(topic)
      if (held !== undefined) await this.#publish(held)
    }
  }

  /** Waits for what is under way; what is left over is sent at the next start. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#others
    await this.#last
  }

  /** Resolves when every target with the hub's model has them; the others follow. */
  async distribute(document: RuleDocument, bundle: RuleBundle): Promise<void> {
    this.#current = { document, bundle }
    const targets = this.#targets()
    this.#known = new Set(targets.map(topicOf))
    await this.#inTurn(() => this.#send(document, bundle, targets))
    const others = targets.filter(({ fingerprint }) => fingerprint !== bundle.fingerprint)
    for (const fingerprint of new Set(others.map(target => target.fingerprint))) this.#follow(fingerprint)
  }

  /** A device has reported: it may be of a site, a group or a model that is new. Cheap where it is not. */
  async notice(node: ReportedNode): Promise<void> {
    if (this.#current === undefined || this.#stopped) return
    const own = this.#current.bundle.fingerprint
    const fresh = this.#targetsOf([node]).filter(target => !this.#known.has(topicOf(target)))
    for (const target of fresh) this.#known.add(topicOf(target))
    const overdue = [...this.#warnings.keys()].filter(fingerprint => this.#isDue(fingerprint))
    const others = fresh.map(({ fingerprint }) => fingerprint).filter(fingerprint => fingerprint !== own)
    for (const fingerprint of new Set([...others, ...overdue])) this.#follow(fingerprint)
    if (fresh.length === others.length) return
    try {
      await this.#inTurn(async () => {
        const { document, bundle } = this.#current!
        await this.#send(document, bundle, fresh)
      })
    } catch (err) {
      this.#options.log.error({ err }, 'rules not sent to new devices')
    }
  }

  /** Of the rules that a device should apply; null when none were sent to its like. */
  versionFor({ site, state }: ReportedNode): number | null {
    if (state === null) return null
    const { rulesGroup: group, fingerprint } = state
    const target = this.#targetsOf([{ site, state }]).find(
      each => each.group === group && each.fingerprint === fingerprint,
    )
    return target === undefined ? null : (this.#options.shelf.sent(topicOf(target))?.version ?? null)
  }

  targets(): TargetState[] {
    const { shelf, store } = this.#options
    const nodes = store.nodes()
    return this.#targets().map(target => {
      const sent = shelf.sent(topicOf(target))
      const warning = this.#warnings.get(target.fingerprint)
      return {
        ...target,
        version: sent?.version ?? null,
        issuedAt: sent?.issuedAt ?? null,
        rules: sent?.rules ?? null,
        devices: nodes.flatMap(({ site, node, state }) =>
          state !== null &&
          site === target.site &&
          state.rulesGroup === target.group &&
          state.fingerprint === target.fingerprint
            ? [
                {
                  node,
                  online: state.online,
                  rulesVersion: state.rulesVersion,
                  rulesError: state.rulesError ?? null,
                },
              ]
            : [],
        ),
        warning:
          warning === undefined
            ? null
            : { code: warning.code, message: warning.message, remedy: warning.remedy },
      }
    })
  }

  /** Of the configured sites and of every device that has reported, online or not. */
  #targets(): Target[] {
    const { store, sites = [] } = this.#options
    return this.#targetsOf([...sites.map(site => ({ site, state: null })), ...store.nodes()])
  }

  #targetsOf(nodes: readonly ReportedNode[]): Target[] {
    const { fingerprint } = this.#options
    const found = new Map<string, Target>()
    const add = (target: Target) => {
      // A device may report a fingerprint that no topic can hold; it gets no rules and says so itself.
      try {
        found.set(topicOf(target), target)
      } catch (error) {
        if (!isFault(error, 'PAYLOAD_INVALID')) throw error
      }
    }
    for (const { site, state } of nodes) {
      add({ site, group: GROUP, fingerprint })
      if (state !== null) add({ site, group: state.rulesGroup, fingerprint: state.fingerprint })
    }
    return [...found.values()]
  }

  #isDue(fingerprint: string): boolean {
    const warning = this.#warnings.get(fingerprint)
    return warning !== undefined && this.#options.clock.monotonic() - warning.at >= RETRY_MS
  }

  /** In the background, one model after the other; always the rules that are in force by then. */
  #follow(fingerprint: string): void {
    const { compiler, log, clock } = this.#options
    // Asked for again before it has begun, it is done once.
    if (this.#waiting.has(fingerprint)) return
    this.#waiting.add(fingerprint)
    this.#others = this.#others.then(async () => {
      this.#waiting.delete(fingerprint)
      if (this.#stopped || this.#current === undefined) return
      const { document } = this.#current
      try {
        const { bundle } = await compiler.compileFor(document, fingerprint)
        this.#warnings.delete(fingerprint)
        const targets = this.#targets().filter(target => target.fingerprint === fingerprint)
        await this.#inTurn(() => this.#send(document, bundle, targets))
      } catch (err) {
        const known = isFault(err) ? err : fault('INTERNAL', messageOf(err), { cause: err })
        const { code, message } = known
        const at = clock.monotonic()
        this.#warnings.set(fingerprint, { code, message, remedy: ERRORS[code].remedy, at })
        log.warn({ err, fingerprint }, 'no rules for devices with this model')
      }
    })
  }

  /** One after the other, so that what is newer on a topic also comes later. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work)
    this.#last = done.catch(() => undefined)
    return done
  }

  async #send(document: RuleDocument, bundle: RuleBundle, targets: readonly Target[]): Promise<void> {
    const { shelf } = this.#options
    const parts = new Map<string, RuleBundle>()
    for (const target of targets) {
      if (target.fingerprint !== bundle.fingerprint) continue
      const wanted = new Set(document.rules.filter(rule => isFor(rule, target)).map(({ id }) => id))
      const key = JSON.stringify([...wanted])
      const part = parts.get(key) ?? narrowed(bundle, rule => wanted.has(rule.id))
      parts.set(key, part)
      await this.#publish(await shelf.put(target, part))
    }
  }

  /** What could not be sent is in force all the same: it goes out with the next change or start. */
  async #publish({ topic, payload }: RulePayload): Promise<void> {
    const { publish, log } = this.#options
    try {
      await publish({ topic, payload, qos: 1, retain: true })
      log.debug({ topic, bytes: payload.byteLength }, 'rules published')
    } catch (err) {
      log.error({ err, topic }, 'rules not published')
    }
  }
}
