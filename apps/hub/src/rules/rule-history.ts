import { promisify } from 'node:util'
import { deflateRaw, inflateRawSync } from 'node:zlib'
import { fault, type Rule } from '@sightline/core'
import type { RuleDocument } from '../store/record-store.ts'
import type { HistoryRow, RuleDatabase } from './rule-tables.ts'

const deflate = promisify(deflateRaw)

const MAX_VERSIONS = 1000
/** Thousand versions of ten thousand rules would be more; then fewer are kept. */
const MAX_BYTES = 256 * 2 ** 20

export type RuleChange = Omit<HistoryRow, 'bytes'>

export interface Origin {
  /** Who changed them. */
  readonly actor: string
  readonly restored?: number | undefined
}

/** Every change of the rules, and the rules as they were after it. */
export class RuleHistory {
  readonly #db: RuleDatabase
  readonly #maxVersions: number

  constructor({ db, maxVersions = MAX_VERSIONS }: { db: RuleDatabase; maxVersions?: number }) {
    this.#db = db
    this.#maxVersions = maxVersions
  }

  /**
   * Takes up where the rules in force are: they count as one change when none is known, and what was noted down ahead
   * of a crash never came to be.
   */
  async start(current: RuleDocument): Promise<void> {
    const { history } = this.#db.tables
    const ahead = [...history.getKeys({ start: current.version + 1 })]
    // Nothing is written without need: a hub starts on a full disk too.
    if (ahead.length > 0)
      await this.#db.write(() => {
        for (const version of ahead) this.#remove(version)
      })
    if (!history.doesExist(current.version)) await this.add(current, undefined, { actor: 'hub' })
  }

  /** To be called before the document is stored: a change that nobody can explain must not be. @throws STORE_FAILED */
  async add(document: RuleDocument, before: readonly Rule[] | undefined, origin: Origin): Promise<void> {
    const { version, updatedAt: at, rules } = document
    const body = await deflate(JSON.stringify(rules))
    const { actor, restored = null } = origin
    const row = { version, at, actor, ...difference(before ?? [], rules), restored, bytes: body.byteLength }
    await this.#db.write(() => {
      this.#db.tables.history.put(version, row)
      this.#db.tables.versions.put(version, body)
      this.#prune()
    })
  }

  /** Newest first. */
  list(limit: number, before = Number.MAX_SAFE_INTEGER): RuleChange[] {
    const rows = this.#db.tables.history.getRange({ start: before - 1, reverse: true, limit })
    return [...rows].map(({ value: { bytes: _, ...change } }) => change)
  }

  /** @throws API_NOT_FOUND */
  version(version: number): RuleChange & { readonly rules: readonly Rule[] } {
    const { history, versions } = this.#db.tables
    const [row, body] = [history.get(version), versions.get(version)]
    if (row === undefined || body === undefined)
      throw fault('API_NOT_FOUND', `version ${version} of the rules is not kept`)
    const { bytes: _, ...change } = row
    return { ...change, rules: JSON.parse(inflateRawSync(body).toString('utf8')) as Rule[] }
  }

  /** Inside a transaction. The newest always stays. */
  #prune(): void {
    let [count, bytes] = [0, 0]
    for (const { key, value } of [...this.#db.tables.history.getRange({ reverse: true })]) {
      bytes += value.bytes
      if (++count > 1 && (count > this.#maxVersions || bytes > MAX_BYTES)) this.#remove(key)
    }
  }

  #remove(version: number): void {
    this.#db.tables.history.remove(version)
    this.#db.tables.versions.remove(version)
  }
}

function difference(before: readonly Rule[], after: readonly Rule[]) {
  const texts = new Map(before.map(rule => [rule.id, JSON.stringify(rule)]))
  const kept = new Set(after.map(({ id }) => id))
  return {
    added: after.filter(({ id }) => !texts.has(id)).map(({ id }) => id),
    changed: after
      .filter(rule => texts.has(rule.id) && texts.get(rule.id) !== JSON.stringify(rule))
      .map(({ id }) => id),
    removed: before.filter(({ id }) => !kept.has(id)).map(({ id }) => id),
  }
}
