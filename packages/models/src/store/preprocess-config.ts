import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface PreprocessHints {
  readonly size?: number
  readonly resize?: 'crop' | 'squash'
  readonly mean?: [number, number, number]
  readonly std?: [number, number, number]
}

type Json = Record<string, unknown>

/** Preprocessing as Hugging Face, open_clip or Immich write it down beside a model; empty when none of them did. */
export async function readPreprocessHints(dirs: readonly string[]): Promise<PreprocessHints> {
  for (const dir of dirs) {
    const huggingFace = await readJson(join(dir, 'preprocessor_config.json'))
    if (huggingFace) return fromHuggingFace(huggingFace)
    const openClip =
      (await readJson(join(dir, 'preprocess_cfg.json'))) ??
      asJson((await readJson(join(dir, 'open_clip_config.json')))?.preprocess_cfg)
    if (openClip) return fromOpenClip(openClip)
  }
  return {}
}

function fromHuggingFace(config: Json): PreprocessHints {
  const crop = asJson(config.crop_size)
  const size = asJson(config.size)
  const shortest = numberOf(size?.shortest_edge) ?? numberOf(config.size)
  const side = numberOf(crop?.height) ?? numberOf(config.crop_size) ?? numberOf(size?.height) ?? shortest
  const crops = config.do_center_crop === true && shortest !== undefined
  return hints(side, crops ? 'crop' : 'squash', config.image_mean, config.image_std)
}

function fromOpenClip(config: Json): PreprocessHints {
  const side = numberOf(Array.isArray(config.size) ? config.size[0] : config.size)
  return hints(side, config.resize_mode === 'squash' ? 'squash' : 'crop', config.mean, config.std)
}

function hints(
  size: number | undefined,
  resize: 'crop' | 'squash',
  mean: unknown,
  std: unknown,
): PreprocessHints {
  const [meanRgb, stdRgb] = [rgb(mean), rgb(std)]
  return {
    ...(size === undefined ? {} : { size }),
    resize,
    ...(meanRgb ? { mean: meanRgb } : {}),
    ...(stdRgb ? { std: stdRgb } : {}),
  }
}

export interface TokenizerHints {
  readonly padId: number
  readonly contextLength: number | undefined
  readonly clean: 'clip' | 'none'
}

/** @param definition tokenizer.json @param config tokenizer_config.json */
export async function readTokenizerHints(definition: string, config: string): Promise<TokenizerHints> {
  const settings = (await readJson(config)) ?? {}
  const longest = numberOf(settings.model_max_length)
  return {
    padId: padIdOf((await readJson(definition)) ?? {}, settings),
    // "No limit" is written as 1e30.
    contextLength: longest !== undefined && longest <= 8192 ? longest : undefined,
    clean: /clip/i.test(String(settings.tokenizer_class ?? '')) ? 'clip' : 'none',
  }
}

function padIdOf(definition: Json, settings: Json): number {
  const token = asJson(settings.pad_token)?.content ?? settings.pad_token
  if (typeof token !== 'string') return 0
  const added = Array.isArray(definition.added_tokens) ? (definition.added_tokens as Json[]) : []
  const vocab: unknown = asJson(definition.model)?.vocab
  return (
    numberOf(added.find(({ content }) => content === token)?.id) ??
    (Array.isArray(vocab)
      ? Math.max(
          0,
          vocab.findIndex((entry: unknown) => Array.isArray(entry) && entry[0] === token),
        )
      : (numberOf(asJson(vocab)?.[token]) ?? 0))
  )
}

async function readJson(path: string): Promise<Json | undefined> {
  try {
    return asJson(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return undefined
  }
}

const asJson = (value: unknown): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined

const numberOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)

function rgb(value: unknown): [number, number, number] | undefined {
  return Array.isArray(value) && value.length === 3 && value.every(part => typeof part === 'number')
    ? (value as [number, number, number])
    : undefined
}
