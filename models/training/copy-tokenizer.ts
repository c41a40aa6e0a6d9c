/**
 * Copies a tokenizer without its fixed truncation and padding: the encoder cuts and pads by the manifest.
 *
 *   tsx copy-tokenizer.ts <from dir> <model dir>
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [fromDir, modelDir] = process.argv.slice(2)
mkdirSync(modelDir, { recursive: true })
const tokenizer = JSON.parse(readFileSync(join(fromDir, 'tokenizer.json'), 'utf8'))
const plain = { ...tokenizer, truncation: null, padding: null }
writeFileSync(join(modelDir, 'tokenizer.json'), JSON.stringify(plain))
copyFileSync(join(fromDir, 'tokenizer_config.json'), join(modelDir, 'tokenizer_config.json'))
