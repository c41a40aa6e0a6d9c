import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadTokenizer, TextTokenizer } from '@sightline/core/clip/tokenizer.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clipTokenizerDefinition } from './clip-vocabulary.ts'
import { dataPath } from './test-data.ts'
import { tokenizerDefinition, VOCAB } from './tiny-model.ts'

const tiny = () =>
  new TextTokenizer({ definition: tokenizerDefinition(), config: {}, contextLength: 6, clean: 'none' })
const names = (ids: readonly number[]) => ids.map(id => VOCAB[id])

describe('WordPiece', () => {
  test('frames a text with its start and end tokens', () => {
    const [found] = tiny().encode(['A red things'])
    expect(names(found!.windows[0]!)).toEqual(['[CLS]', 'a', 'red', 'thing', '##s', '[SEP]'])
    expect(found!.truncated).toBe(false)
  })

  test('gives an unknown word the unknown token and an empty text the frame alone', () => {
    const [unknown, empty] = tiny().encode(['zebra', ''])
    expect(names(unknown!.windows[0]!)).toEqual(['[CLS]', '[UNK]', '[SEP]'])
    expect(names(empty!.windows[0]!)).toEqual(['[CLS]', '[SEP]'])
  })

  test('keeps the end token when it truncates', () => {
    const [found] = tiny().encode(['red green blue a red green'])
    expect(names(found!.windows[0]!)).toEqual(['[CLS]', 'red', 'green', 'blue', 'a', '[SEP]'])
    expect(found!.truncated).toBe(true)
  })

  test('windows read all of a long text', () => {
    const [found] = tiny().encode(['red green blue a red green'], { long: 'window' })
    expect(found!.windows.map(names)).toEqual([
      ['[CLS]', 'red', 'green', 'blue', 'a', '[SEP]'],
      ['[CLS]', 'red', 'green', '[SEP]'],
    ])
    expect(found!.truncated).toBe(false)
  })

  test('never turns a typed [SEP] into the token', () => {
    const [found] = tiny().encode(['[SEP]'])
    expect(names(found!.windows[0]!)).toEqual(['[CLS]', '[', 'sep', ']', '[SEP]'])
  })

  test('refuses a text that would stall the process', () => {
    expect(() => tiny().encode(['a'.repeat(100_001)])).toThrow(
      expect.objectContaining({ code: 'TEXT_INVALID' }),
    )
  })
})

describe('loading', () => {
  let dir: string
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'sightline-tokenizer-'))
    await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(tokenizerDefinition()))
    await writeFile(join(dir, 'config.json'), '{}')
    await writeFile(join(dir, 'broken.json'), '{')
    await writeFile(join(dir, 'empty.json'), '{}')
  })
  afterAll(() => rm(dir, { recursive: true }))

  const load = (tokenizer: string) => {
    const file = (path: string) => ({ path, bytes: 1, sha256: '0'.repeat(64) })
    const text = {
      tokenizer: file(tokenizer),
      tokenizerConfig: file('config.json'),
      contextLength: 8,
      clean: 'none',
    }
    return loadTokenizer({ text } as never, dir)
  }

  test('reads both files', async () => {
    expect((await load('tokenizer.json')).encode(['red'])[0]!.windows).toEqual([[2, 5, 3]])
  })

  test.each([
    ['absent.json', 'MODEL_MISSING'],
    ['broken.json', 'MODEL_INVALID'],
    ['empty.json', 'MODEL_INVALID'],
  ])('%s is %s', async (name, code) => {
    await expect(load(name)).rejects.toMatchObject({ code })
  })
})

const definition = clipTokenizerDefinition()
describe.skipIf(definition === undefined)('CLIP BPE', () => {
  const tokenizer =
    definition && new TextTokenizer({ definition, config: {}, contextLength: 77, clean: 'clip' })
  const parity = dataPath('parity', 'tokens-public.json')
  const items: { id: string; text: string; ids: number[] }[] =
    parity === undefined ? [] : JSON.parse(readFileSync(parity, 'utf8')).items
  const typed = (text: string) => text.includes('<|endoftext|>')

  test.each(items.filter(({ text }) => !typed(text)))('$id has the ids of the original', ({ text, ids }) => {
    expect(tokenizer!.encode([text])[0]!.windows[0]).toEqual(ids)
  })

  test('a typed <|endoftext|> is punctuation and letters', () => {
    const [ids] = tokenizer!.encode(['<|endoftext|>'])[0]!.windows
    expect(ids!.slice(1, -1)).not.toContain(49407)
    expect([ids![0], ids!.at(-1)]).toEqual([49406, 49407])
  })
})
