import { readFile } from 'node:fs/promises'
import { TextTokenizer } from '@sightline/core/clip/tokenizer.js'
import { fault, messageOf } from '@sightline/core/errors.js'

export interface TextSettings {
  readonly tokenizerPath: string
  readonly tokenizerConfigPath: string
  /** Longest sequence, special tokens included. */
  readonly contextLength: number
  /** Pad every sequence to `contextLength`, as CLIP does, or leave it as long as it is. */
  readonly padTo: 'contextLength' | 'longest'
  readonly padId: number
  /** clip: cleaned as CLIP's own tokenizer does. */
  readonly clean: 'clip' | 'none'
}

/** The non-empty lines of a file. @throws QUANTISE_NO_SAMPLES */
export async function readTexts(path: string): Promise<string[]> {
  let content: string
  try {
    content = await readFile(path, 'utf8')
  } catch (cause) {
    throw fault('QUANTISE_NO_SAMPLES', `cannot read the sentences in ${path}`, { cause })
  }
  const lines = content.split(/\r?\n/).map(line => line.trim())
  return lines.filter(line => line !== '')
}

/** Token ids and mask per sentence. @throws QUANTISE_NO_SAMPLES when the tokenizer cannot be loaded */
export async function tokenise(
  texts: readonly string[],
  settings: TextSettings,
): Promise<{ ids: number[]; mask: number[] }[]> {
  const tokenizer = await openTokenizer(settings)
  return tokenizer.encode(texts).map(({ windows }) => {
    const ids = windows[0] ?? []
    const missing = settings.padTo === 'contextLength' ? settings.contextLength - ids.length : 0
    const padding = new Array<number>(missing).fill(settings.padId)
    return { ids: [...ids, ...padding], mask: [...ids.map(() => 1), ...padding.map(() => 0)] }
  })
}

async function openTokenizer(settings: TextSettings): Promise<TextTokenizer> {
  const { tokenizerPath, tokenizerConfigPath, contextLength, clean } = settings
  const read = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
  try {
    const [definition, config] = [await read(tokenizerPath), await read(tokenizerConfigPath)]
    return new TextTokenizer({ definition, config, contextLength, clean })
  } catch (cause) {
    const message = `cannot load the tokenizer ${tokenizerPath}: ${messageOf(cause)}`
    throw fault('QUANTISE_NO_SAMPLES', message, { cause })
  }
}
