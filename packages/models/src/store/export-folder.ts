import { readdir } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import type { VariantName } from '@sightline/core/clip/model-manifest.js'
import { fault } from '@sightline/core/errors.js'
import type { ModelDescription } from './describe.ts'
import { readOnnxHeader } from './onnx-header.ts'
import { type PreprocessHints, readPreprocessHints, readTokenizerHints } from './preprocess-config.ts'
import { imageTower, textTower } from './towers.ts'

/** What the files do not tell; paths are relative to the folder. */
export interface ImportOptions extends PreprocessHints {
  readonly image?: string | undefined
  readonly text?: string | undefined
  readonly tokenizer?: string | undefined
  /** The image tower in other precisions. */
  readonly variants?: Readonly<Partial<Record<VariantName, string>>> | undefined
  readonly title?: string | undefined
  readonly version?: string | undefined
  readonly dim?: number | undefined
  readonly contextLength?: number | undefined
  readonly logitScale?: number | undefined
  readonly license?: { readonly spdx: string; readonly notice: string } | undefined
}

export interface ExportRequest extends ImportOptions {
  readonly dir: string
  readonly name: string
}

const CLIP_MEAN: [number, number, number] = [0.48145466, 0.4578275, 0.40821073]
const CLIP_STD: [number, number, number] = [0.26862954, 0.26130258, 0.27577711]

/** Absolute paths. */
export interface ExportFiles {
  readonly image: string
  readonly text: string
  readonly tokenizer: string
  readonly tokenizerConfig: string
}

const IMAGE_FILE = /(?:^|\/)(?:visual|vision|image)(?:[^/]*\/model)?[^/]*\.onnx$/i
const TEXT_FILE = /(?:^|\/)(?:textual|text)(?:[^/]*\/model)?[^/]*\.onnx$/i
const ONE_FILE = /(?:^|\/)model[^/]*\.onnx$/i

/** @throws MODEL_MISSING, MODEL_INVALID when there is more than one candidate, or none */
export async function findExport({
  dir,
  image,
  text,
  tokenizer,
  variants = {},
}: ExportRequest): Promise<ExportFiles> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true }).catch(cause => {
    throw fault('MODEL_MISSING', `cannot read ${dir}`, { cause })
  })
  const paths = entries
    .filter(entry => entry.isFile())
    .map(entry => relative(dir, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter(path => path.split('/').length <= 3 && !Object.values(variants).includes(path))
    .sort()
  const pick = (given: string | undefined, pattern: RegExp) => {
    if (given) return [given]
    return paths.filter(path => pattern.test(path))
  }
  const images = pick(image, IMAGE_FILE)
  const texts = pick(text, TEXT_FILE)
  const both = images.length === 0 && texts.length === 0 ? paths.filter(path => ONE_FILE.test(path)) : []
  const tokenizers = pick(tokenizer, /(?:^|\/)tokenizer\.json$/i)
  const one = (candidates: readonly string[], option: string) => {
    if (candidates.length === 1) return resolve(dir, candidates[0]!)
    const what = candidates.length === 0 ? 'there is none' : `there are ${candidates.join(', ')}`
    throw fault(
      'MODEL_INVALID',
      `cannot tell which file in ${dir} to take (${what}): name it with --${option}`,
    )
  }
  const definition = one(tokenizers, 'tokenizer')
  return {
    image: one(both.length > 0 ? both : images, 'image'),
    text: one(both.length > 0 ? both : texts, 'text'),
    tokenizer: definition,
    tokenizerConfig: join(dirname(definition), 'tokenizer_config.json'),
  }
}

/** Options first, then what the files fix, then the configurations beside them, then CLIP's values, which are reported. */
export async function describeExport(request: ExportRequest, found: ExportFiles) {
  const assumed: string[] = []
  const assume = <T>(value: T, what: string): T => {
    assumed.push(`${what} ${JSON.stringify(value)}`)
    return value
  }
  const header = readOnnxHeader(found.image)
  const image = imageTower(header, {}, found.image)
  const textHeader = readOnnxHeader(found.text)
  const text = textTower(textHeader, {}, found.text)
  const hints = await readPreprocessHints([dirname(found.image), request.dir])
  const tokens = await readTokenizerHints(found.tokenizer, found.tokenizerConfig)
  const dim = request.dim ?? image.dim ?? text.dim
  if (dim === undefined)
    throw fault('MODEL_INVALID', 'the files do not tell the embedding length: give --dim')
  const contextLength = request.contextLength ?? text.length ?? tokens.contextLength
  if (contextLength === undefined) {
    throw fault(
      'MODEL_INVALID',
      'neither the text tower nor the tokenizer tells the longest text: give --context-length',
    )
  }
  const description: Omit<ModelDescription, 'files'> = {
    name: request.name,
    version: request.version ?? '1',
    title: request.title ?? request.name,
    precision: header.precision,
    dim,
    logitScale: { value: request.logitScale ?? assume(100, 'logit scale'), source: 'import' },
    image: {
      size: request.size ?? image.size ?? hints.size ?? assume(224, 'size'),
      resize: request.resize ?? hints.resize ?? assume('crop' as const, 'resize'),
      mean: request.mean ?? hints.mean ?? assume(CLIP_MEAN, 'mean'),
      std: request.std ?? hints.std ?? assume(CLIP_STD, 'std'),
    },
    text: {
      contextLength,
      padTo: text.attentionMask ? 'longest' : 'contextLength',
      padId: tokens.padId,
      clean: tokens.clean,
    },
    license:
      request.license ??
      assume({ spdx: 'LicenseRef-Unknown', notice: 'Imported; its terms were not recorded.' }, 'licence'),
    trainingData: [],
  }
  return { description, assumed }
}
