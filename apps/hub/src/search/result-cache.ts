import { ByteCache, type CacheStats } from './byte-cache.ts'
import type { SearchResult } from './query.ts'

const MAX_BYTES = 16 * 1024 * 1024
/** Of a hit with a few verdicts; a verdict more is some 150. */
const HIT_BYTES = 1000
const VERDICT_BYTES = 150
const FACET_BYTES = 100

/** Answers of the index as it now is: whatever enters or leaves it makes them void. */
export class ResultCache {
  readonly #cache: ByteCache<SearchResult>
  #changes = 0

  constructor({ maxBytes = MAX_BYTES }: { maxBytes?: number } = {}) {
    this.#cache = new ByteCache({ maxBytes })
  }

  get stats(): CacheStats {
    return this.#cache.stats
  }

  /** @param changes of the index so far */
  get(key: string, changes: number): SearchResult | undefined {
    if (changes !== this.#changes) this.#cache.clear()
    this.#changes = changes
    return this.#cache.get(key)
  }

  /** @param changes when the search began: an answer that was overtaken is not kept */
  set(key: string, changes: number, result: SearchResult): void {
    if (changes === this.#changes) this.#cache.set(key, result, sizeOf(result))
  }
}

function sizeOf({ hits, groups = [], facets }: SearchResult): number {
  const verdicts = hits.reduce((sum, { frame }) => sum + frame.verdicts.length, 0)
  const values =
    facets === undefined
      ? 0
      : facets.site.length +
        facets.node.length +
        facets.camera.length +
        facets.rule.length +
        facets.tag.length +
        facets.day.length +
        60
  return HIT_BYTES * (hits.length + 1) + VERDICT_BYTES * verdicts + FACET_BYTES * (values + groups.length)
}
