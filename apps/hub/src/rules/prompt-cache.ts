import { createHash } from 'node:crypto'
import { vectorToBytes } from '@sightline/core'
import type { RuleModel } from './compile.ts'
import { type RuleDatabase, vectorOf } from './rule-tables.ts'

/** 2 KiB each at 512 dimensions: 200 MiB at most, and what one compilation needs on top. */
const MAX_PROMPTS = 100_000
/** Written together, so that a first compilation is not thousands of commits. */
const WRITE_EVERY = 256

export interface PromptStats {
  /** Texts whose vector was known. */
  hits: number
  /** Texts that were embedded. */
  misses: number
}

/** Vectors of prompts by model and text, kept over restarts: a change of the rules embeds only what is new. */
export class PromptCache {
  readonly stats: PromptStats = { hits: 0, misses: 0 }
  readonly #db: RuleDatabase
  readonly #maxPrompts: number

  constructor({ db, maxPrompts = MAX_PROMPTS }: { db: RuleDatabase; maxPrompts?: number }) {
    this.#db = db
    this.#maxPrompts = maxPrompts
  }

  /** Unit vectors by text. @throws TEXT_INVALID, MODEL_*, STORE_FAILED */
  async vectors(texts: Iterable<string>, model: RuleModel): Promise<Map<string, Float32Array>> {
    const { prompts } = this.#db.tables
    const vectors = new Map<string, Float32Array>()
    const used = new Set<string>()
    let fresh: { readonly key: [string, string]; readonly bytes: Buffer }[] = []
    const flush = async () => {
      const rows = fresh
      fresh = []
      if (rows.length === 0) return
      await this.#db.write(() => {
        for (const { key, bytes } of rows) prompts.put(key, bytes)
      })
    }
    for (const text of texts) {
      const key: [string, string] = [model.fingerprint, createHash('sha256').update(text).digest('hex')]
      used.add(key[1])
      const known = prompts.get(key)
      if (known !== undefined) {
        this.stats.hits++
        vectors.set(text, vectorOf(known))
        continue
      }
      // One by one: an INT8 tower that scales activations over the batch gives a text another vector in other company,
      // and the same rules must always score alike. Searches get their turn in between.
      const [vector] = await model.encodeTexts([text])
      this.stats.misses++
      vectors.set(text, vector!)
      fresh.push({ key, bytes: Buffer.from(vectorToBytes(vector!)) })
      if (fresh.length >= WRITE_EVERY) await flush()
    }
    await flush()
    await this.#prune(model.fingerprint, used)
    return vectors
  }

  /** Beyond the limit everything goes that this compilation did not use: simpler than a clock, and as seldom needed. */
  async #prune(fingerprint: string, used: ReadonlySet<string>): Promise<void> {
    const { prompts } = this.#db.tables
    const { entryCount } = prompts.getStats() as { entryCount: number }
    if (entryCount <= this.#maxPrompts) return
    await this.#db.write(() => {
      for (const key of [...prompts.getKeys()])
        if (key[0] !== fingerprint || !used.has(key[1])) prompts.remove(key)
    })
  }
}
