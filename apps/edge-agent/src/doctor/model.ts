import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { isFault, messageOf } from '@sightline/core'
import { median } from '@sightline/core/clip/benchmark.js'
import { canaryPictures } from '@sightline/core/clip/canary.js'
import { readManifest, verifyFiles } from '@sightline/core/clip/model-files.js'
import { modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { type OpenModel, openModel } from '@sightline/core/clip/open-model.js'
import type { Rating } from '@sightline/core/clip/provider-choice.js'
import { candidatesIn } from '@sightline/core/clip/provider-rating.js'
import {
  PROVIDERS,
  type ProviderReport,
  type ProviderSetting,
  probeProviders,
} from '@sightline/core/clip/providers.js'
import { imageFiles } from '@sightline/core/clip/variants.js'
import sharp from 'sharp'
import type { Finding, Mark } from './finding.ts'

export interface ModelCheckOptions {
  readonly dir: string
  readonly provider: ProviderSetting
  readonly threads: number
  readonly cacheDir: string
  /** Frames a second that all cameras together ask for. */
  readonly wantedFps: number
}

type Manifest = Awaited<ReturnType<typeof readManifest>>

const SPEED_MS = 2000
const SPEED_RUNS = 30

/** Files, providers, canaries and speed; later ones only where the earlier ones allow. */
export async function* examineModel(options: ModelCheckOptions): AsyncGenerator<Finding> {
  const { dir, cacheDir, provider, threads } = options
  let manifest: Manifest
  let towers: ('image' | 'text')[]
  try {
    manifest = await readManifest(dir)
    towers = (await present(dir, manifest)) ? ['image', 'text'] : ['image']
    yield* await checkFiles(dir, manifest, { towers, cacheDir })
  } catch (error) {
    yield failure('model', error, { dir })
    return
  }
  const reports = await probeProviders({ thorough: true, cacheDir })
  let open: OpenModel
  try {
    const limits = threads > 0 ? { threads } : {}
    open = await openModel({ dir, provider, towers, cacheDir, ...limits })
  } catch (error) {
    yield* reports.map(report => providerLine(report, undefined))
    yield failure('provider', error, { wanted: provider })
    return
  }
  yield* reports.map(report => providerLine(report, open))
  yield canaryLine(open)
  try {
    yield await speedLine(open, options)
  } catch (error) {
    yield failure('speed', error)
  } finally {
    await open.model.close()
  }
}

async function present(dir: string, { text }: Manifest): Promise<boolean> {
  const files = [text.file, text.tokenizer, text.tokenizerConfig]
  const found = await Promise.allSettled(files.map(({ path }) => access(join(dir, path))))
  return found.every(({ status }) => status === 'fulfilled')
}

/** Variants may be left out on a device. */
async function imageFilesIn(dir: string, manifest: Manifest) {
  const candidates = await candidatesIn(dir, manifest, PROVIDERS)
  const used = new Set(candidates.map(({ file }) => file))
  return imageFiles(manifest)
    .map(({ file }) => file)
    .filter((file, at) => at === 0 || used.has(file.path))
}

function precisionsOf({ image }: Manifest): string {
  const others = Object.keys(image.variants ?? {})
  return others.length === 0 ? image.precision : `${image.precision}, also ${others.join(', ')}`
}

async function checkFiles(
  dir: string,
  manifest: Manifest,
  { towers, cacheDir }: { towers: readonly string[]; cacheDir: string },
): Promise<Finding[]> {
  const { image, text, name, version } = manifest
  const files = [
    ...(await imageFilesIn(dir, manifest)),
    ...(towers.includes('text') ? [text.file, text.tokenizer, text.tokenizerConfig] : []),
  ]
  // Someone who asks a doctor wants the disk read, not the memory of an earlier reading.
  await verifyFiles(dir, files, { verify: 'always', cacheDir })
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  const fingerprint = modelFingerprint(manifest)
  return [
    {
      group: 'Model',
      name: 'model',
      mark: 'info',
      text: `${name} ${version} · ${precisionsOf(manifest)} · ${manifest.dim} values a vector · ${fingerprint}`,
      data: { dir, name, version, precision: image.precision, dim: manifest.dim, fingerprint },
    },
    {
      group: 'Model',
      name: 'files',
      mark: 'ok',
      text: `${files.length} files, ${(bytes / 1e6).toFixed(0)} MB, every sha256 as the manifest says`,
      data: { files: files.length, bytes },
    },
  ]
}

function providerLine(report: ProviderReport, open: OpenModel | undefined): Finding {
  const { provider, available, reason } = report
  const ratings = open?.choice.ratings.filter(({ candidate }) => candidate.provider === provider) ?? []
  const [rating] = ratings
  const chosen = open?.choice.provider === provider
  const data = { ...report, chosen, ...(rating ? { ratings } : {}) }
  const base = { group: 'Model', name: provider, data } as const
  if (!available) return { ...base, mark: 'info', text: `not here: ${reason}` }
  if (rating?.refused !== undefined) return { ...base, mark: 'warn', text: `refused: ${rating.refused}` }
  const text = chosen ? `chosen: ${open.choice.reason}` : 'works'
  const told = rating?.msPerImage === undefined || text.endsWith('ms a picture)')
  const speed = told ? '' : ` · ${rating.msPerImage!.toFixed(1)} ms a picture`
  const share = rating?.nodes === undefined ? '' : ` · ${nodeShare(provider, rating.nodes)}`
  return { ...base, mark: chosen ? 'ok' : 'info', text: `${text}${speed}${share}${otherFiles(ratings)}` }
}

/** The provider's other files, where the model has more than one for it. */
function otherFiles([, ...others]: readonly Rating[]): string {
  const each = others.map(({ candidate, msPerImage, refused }) => {
    const name = candidate.variant ?? candidate.precision
    return refused === undefined ? `${name} ${msPerImage!.toFixed(1)} ms` : `${name} refused: ${refused}`
  })
  return each.length === 0 ? '' : ` · other files: ${each.join(', ')}`
}

/** How much of the model a provider took; the rest ran on the CPU. */
export function nodeShare(provider: string, nodes: Readonly<Record<string, number>>): string {
  const total = Object.values(nodes).reduce((sum, count) => sum + count, 0)
  return `${total - (provider === 'cpu' ? 0 : (nodes.cpu ?? 0))} of ${total} nodes`
}

function canaryLine({ canary }: OpenModel): Finding {
  const base = { group: 'Model', name: 'canary', mark: 'ok' } as const
  if (canary === undefined)
    return { ...base, text: 'embeddings are sound; kept as the known ones, since the manifest has none' }
  const cosines = Object.entries(canary).map(([tower, cosine]) => `${tower} ${cosine.toFixed(4)}`)
  return { ...base, text: `embeddings are the known ones: cosine ${cosines.join(', ')}`, data: { ...canary } }
}

async function speedLine({ model }: OpenModel, { wantedFps }: ModelCheckOptions): Promise<Finding> {
  const frame = await sampleFrame()
  await model.encodeImages([frame])
  const times: number[] = []
  const endMs = performance.now() + SPEED_MS
  while (times.length < 3 || (times.length < SPEED_RUNS && performance.now() < endMs)) {
    const startedMs = performance.now()
    await model.encodeImages([frame])
    times.push(performance.now() - startedMs)
  }
  const msPerFrame = median(times)
  const fps = 1000 / msPerFrame
  const enough = fps >= wantedFps
  const mark: Mark = enough ? 'ok' : 'warn'
  const asked = wantedFps > 0 ? `; cameras ask for ${Number(wantedFps.toFixed(1))}` : ''
  return {
    group: 'Model',
    name: 'speed',
    mark,
    text: `${msPerFrame.toFixed(1)} ms from JPEG (1280x720) to vector: ${fps.toFixed(1)} frames/s${asked}`,
    ...(enough
      ? {}
      : { advice: 'Lower fps of the cameras, or raise their gate.threshold: frames will be dropped.' }),
    data: { msPerFrame, fps, wantedFps, runs: times.length },
  }
}

async function sampleFrame(): Promise<Uint8Array> {
  const [{ data, width, height }] = canaryPictures()
  return sharp(data, { raw: { width, height, channels: 3 } })
    .resize(1280, 720, { fit: 'fill' })
    .jpeg({ quality: 85 })
    .toBuffer()
}

function failure(name: string, error: unknown, data: Record<string, unknown> = {}): Finding {
  const fault = isFault(error) ? error : undefined
  return {
    group: 'Model',
    name,
    mark: 'fail',
    text: `${fault?.code ?? 'INTERNAL'}: ${messageOf(error)}`,
    ...(fault ? { advice: fault.remedy } : {}),
    data: { ...data, code: fault?.code ?? 'INTERNAL' },
  }
}
