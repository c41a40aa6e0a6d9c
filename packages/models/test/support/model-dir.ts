import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeModel } from '@sightline/models/onnx/proto.js'
import { wordPieceTokenizer } from '../../../../test/support/word-pieces.ts'
import { attentionNet, residualNet } from './graphs.ts'

/** A directory with two tiny towers and a manifest that fits them. */
export async function writeModelDir(dir: string): Promise<void> {
  const file = async (path: string, content: Uint8Array | string) => {
    const bytes = Buffer.from(content)
    await writeFile(join(dir, path), bytes)
    return { path, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  }
  const manifest = {
    schema: 1,
    name: 'tiny',
    version: '1',
    title: 'Tiny towers',
    dim: 32,
    logitScale: 100,
    image: {
      file: await file('image.onnx', encodeModel(residualNet())),
      precision: 'fp32',
      input: 'pixel_values',
      output: 'embedding',
      size: 16,
      resize: 'squash',
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
    },
    text: {
      file: await file('text.onnx', encodeModel(attentionNet())),
      precision: 'fp32',
      inputIds: 'input_ids',
      output: 'states',
      idType: 'int64',
      contextLength: 16,
      padTo: 'longest',
      padId: 0,
      clean: 'none',
      tokenizer: await file('tokenizer.json', JSON.stringify(wordTokenizer())),
      tokenizerConfig: await file('tokenizer_config.json', '{"tokenizer_class":"BertTokenizer"}'),
    },
    license: { spdx: 'Apache-2.0', notice: 'Random weights.' },
    trainingData: [],
    quality: [],
    cannot: [],
  }
  await writeFile(join(dir, 'manifest.json'), JSON.stringify(manifest))
}

/** WordPiece over single letters and a few words. */
function wordTokenizer(): object {
  const letters = [...'abcdefghijklmnopqrstuvwxyz']
  const pieces = [
    '[PAD]',
    '[UNK]',
    '[CLS]',
    '[SEP]',
    ...letters,
    ...letters.map(letter => `##${letter}`),
    'dog',
    'cat',
  ]
  return wordPieceTokenizer(pieces)
}
