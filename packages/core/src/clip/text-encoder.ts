import { LRUCache } from 'lru-cache'
import { fault } from '../errors.ts'
import { l2Normalize } from '../vector.ts'
import type { Batcher } from './batcher.ts'
import { mapBounded } from './bounded-map.ts'
import type { ModelManifest } from './model-manifest.ts'
import type { Feed } from './session.ts'
import type { LongText, TextTokenizer } from './tokenizer.ts'
import type { Tower } from './tower.ts'

export interface TextCacheStats {
  readonly hits: number
  readonly misses: number
  readonly entries: number
  readonly bytes: number
}

export interface TextEncoderOptions {
  readonly tokenizer: TextTokenizer
  readonly batcher: Batcher<readonly number[], Float32Array>
  /** Most texts of one call in work at once. */
  readonly maxAhead: number
  /** Bytes of vectors and texts kept; 0 keeps none. */
  readonly cacheBytes: number
}

export interface EncodeTextOptions {
  /** Default `truncate`. `window` embeds consecutive pieces and averages them. */
  readonly long?: LongText
  readonly signal?: AbortSignal
}

/** Sentences to unit vectors, with the recent ones remembered. */
export class ClipTextEncoder {
  readonly #options: TextEncoderOptions
  readonly #cache: LRUCache<string, Float32Array> | undefined
  #hits = 0
  #misses = 0

  constructor(options: TextEncoderOptions) {
    this.#options = options
    if (options.cacheBytes > 0) {
      this.#cache = new LRUCache({
        maxSize: options.cacheBytes,
        sizeCalculation: (vector, key) => vector.byteLength + key.length * 2,
      })
    }
  }

  get cacheStats(): TextCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      entries: this.#cache?.size ?? 0,
      bytes: this.#cache?.calculatedSize ?? 0,
    }
  }

  /** Whether the tower reads all of a text, rather than its beginning. @throws TEXT_INVALID */
  fits(text: string): boolean {
    return !this.#options.tokenizer.encode([text])[0]!.truncated
  }

  /** @throws TEXT_INVALID with the index of an empty or overlong text, MODEL_*, or the signal's reason */
  async encode(texts: readonly string[], options: EncodeTextOptions = {}): Promise<Float32Array[]> {
    const { long = 'truncate', signal } = options
    const keys = texts.map((text, index) => this.#key(text, index, long))
    const distinct = new Map(keys.map((key, i) => [key, texts[i]!]))
    const embed = ([key, text]: [string, string]) => this.#vectorOf(key, text, { long, signal })
    const found = await mapBounded([...distinct], this.#options.maxAhead, embed)
    const vectors = new Map([...distinct.keys()].map((key, i) => [key, found[i]!]))
    // Copies: what a caller does to its vector must not reach the cache.
    return keys.map(key => vectors.get(key)!.slice())
  }

  #key(text: string, index: number, long: LongText): string {
    const clean = typeof text === 'string' ? this.#options.tokenizer.clean(text).trim() : ''
    if (clean === '') throw fault('TEXT_INVALID', `text ${index} is empty`, { details: { index } })
    return `${long}\0${clean}`
  }

  async #vectorOf(
    key: string,
    text: string,
    { long, signal }: { long: LongText; signal: AbortSignal | undefined },
  ): Promise<Float32Array> {
    const cached = this.#cache?.get(key)
    if (cached !== undefined) {
      this.#hits++
      return cached
    }
    this.#misses++
    const { tokenizer, batcher } = this.#options
    const { windows } = tokenizer.encode([text], { long })[0]!
    const vectors = await Promise.all(windows.map(ids => batcher.submit(ids, signal)))
    const vector = vectors.length === 1 ? vectors[0]! : meanDirection(vectors)
    this.#cache?.set(key, vector)
    return vector
  }
}

/** The mean of unit vectors, of unit length again. @throws MODEL_OUTPUT_INVALID when they cancel out */
export function meanDirection(vectors: readonly Float32Array[]): Float32Array {
  const sum = new Float32Array(vectors[0]!.length)
  for (const vector of vectors) for (let i = 0; i < sum.length; i++) sum[i]! += vector[i]!
  return l2Normalize(sum)
}

/** The batch runner of a text tower: framed token ids in, unit vectors out. */
export function textRunner(tower: Tower, spec: ModelManifest['text']) {
  return (batch: readonly (readonly number[])[]) => {
    const longest = Math.max(...batch.map(ids => ids.length))
    const length = spec.padTo === 'contextLength' ? spec.contextLength : longest
    const ids = new Int32Array(batch.length * length).fill(spec.padId)
    const mask = new Int32Array(batch.length * length)
    for (const [row, tokens] of batch.entries()) {
      ids.set(tokens, row * length)
      mask.fill(1, row * length, row * length + tokens.length)
    }
    const feed = (name: string, values: Int32Array<ArrayBuffer>): Feed => {
      const dims = [batch.length, length]
      if (spec.idType === 'int32') return { name, type: 'int32', data: values, dims }
      return { name, type: 'int64', data: BigInt64Array.from(values, BigInt), dims }
    }
    const feeds = [feed(spec.inputIds, ids)]
    if (spec.attentionMask !== undefined) feeds.push(feed(spec.attentionMask, mask))
    return tower.embed(feeds, batch.length)
  }
}
