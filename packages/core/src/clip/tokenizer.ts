import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import { fault, isFault, messageOf } from '../errors.ts'
import type { ModelManifest } from './model-manifest.ts'
import { cleanClipText } from './text-clean.ts'

/** What happens to a text of more tokens than the tower takes: cut, or read in consecutive windows. */
export type LongText = 'truncate' | 'window'

export interface TokenizedText {
  /** Token ids, start and end tokens included, not padded; each at most `contextLength` long. One unless windowed. */
  readonly windows: readonly (readonly number[])[]
  /** True when the tail of the text was cut off. */
  readonly truncated: boolean
}

/** Longer input is refused: no search needs it, and it would stall the process. */
export const MAX_TEXT_CHARS = 100_000

/**
 * Loads the tokenizer that a manifest names.
 * @throws MODEL_MISSING, MODEL_INVALID
 */
export async function loadTokenizer(
  manifest: Pick<ModelManifest, 'text'>,
  dir: string,
): Promise<TextTokenizer> {
  const { tokenizer, tokenizerConfig, contextLength, clean } = manifest.text
  const definition = await readJson(join(dir, tokenizer.path))
  const config = await readJson(join(dir, tokenizerConfig.path))
  try {
    return new TextTokenizer({ definition, config, contextLength, clean })
  } catch (cause) {
    throw isFault(cause)
      ? cause
      : fault('MODEL_INVALID', `the tokenizer cannot be used: ${messageOf(cause)}`, { cause })
  }
}

export interface TokenizerOptions {
  /** Parsed tokenizer.json. */
  readonly definition: Record<string, unknown>
  /** Parsed tokenizer_config.json. */
  readonly config: Record<string, unknown>
  readonly contextLength: number
  readonly clean: ModelManifest['text']['clean']
}

/** What is used of the engine; its own declarations do not resolve under `nodenext`. */
interface Engine {
  encode(text: string, options?: { add_special_tokens?: boolean }): { ids: number[] }
}

/** Byte-level BPE (CLIP) or WordPiece (BERT) ids from text that users typed. */
export class TextTokenizer {
  readonly #engine: Engine
  readonly #head: readonly number[]
  readonly #tail: readonly number[]
  readonly #contextLength: number
  readonly #clean: (text: string) => string

  constructor({ definition, config, contextLength, clean }: TokenizerOptions) {
    const trusted: Engine = new Tokenizer(definition, config)
    const [head, tail] = specials(trusted)
    this.#head = head
    this.#tail = tail
    // Without the added tokens nothing that a user types can turn into one: `<|endoftext|>` stays punctuation and letters.
    this.#engine = new Tokenizer({ ...definition, added_tokens: [] }, config)
    this.#contextLength = contextLength
    this.#clean = clean === 'clip' ? cleanClipText : text => text
  }

  /** The text as the vocabulary sees it; two texts with the same clean form have the same vector. */
  clean(text: string): string {
    return this.#clean(text)
  }

  /** @throws TEXT_INVALID when a text has more than 100,000 characters */
  encode(texts: readonly string[], { long = 'truncate' }: { long?: LongText } = {}): TokenizedText[] {
    return texts.map(text => this.#encodeOne(text, long))
  }

  #encodeOne(text: string, long: LongText): TokenizedText {
    if (text.length > MAX_TEXT_CHARS) {
      throw fault('TEXT_INVALID', `the text has ${text.length} characters, the limit is ${MAX_TEXT_CHARS}`)
    }
    const { ids } = this.#engine.encode(this.#clean(text), { add_special_tokens: false })
    const room = this.#contextLength - this.#head.length - this.#tail.length
    const frame = (content: readonly number[]) => [...this.#head, ...content, ...this.#tail]
    if (ids.length <= room) return { windows: [frame(ids)], truncated: false }
    if (long === 'truncate') return { windows: [frame(ids.slice(0, room))], truncated: true }
    const windows: number[][] = []
    for (let from = 0; from < ids.length; from += room) windows.push(frame(ids.slice(from, from + room)))
    return { windows, truncated: false }
  }
}

/** What the post-processor puts before and after a text. */
function specials(engine: Engine): [number[], number[]] {
  const framed = engine.encode('a').ids
  const bare = engine.encode('a', { add_special_tokens: false }).ids
  const at = framed.findIndex((_, i) => bare.every((id, j) => framed[i + j] === id))
  if (bare.length === 0 || at < 0) throw fault('MODEL_INVALID', 'the tokenizer gives no id for the letter a')
  return [framed.slice(0, at), framed.slice(at + bare.length)]
}

async function readJson(path: string): Promise<Record<string, unknown>> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw fault('MODEL_MISSING', `${path} cannot be read`, { cause })
  }
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch (cause) {
    throw fault('MODEL_INVALID', `${path} is not JSON`, { cause })
  }
}
