import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import { fault, messageOf } from '../errors.ts'
import { type Candidate, candidateOf, candidatesOf, type Measurement, measure } from './benchmark.ts'
import { type CanaryVectors, checkCanary, knownCanary, rememberCanary } from './canary.ts'
import { engineDirOf, needsEngine, watchBuild } from './engine-build.ts'
import { verifyFiles } from './model-files.ts'
import { type ModelManifest, modelFingerprint } from './model-manifest.ts'
import type { ChooseOptions } from './provider-choice.ts'
import { deviceKey, type ExecutionProvider, PROVIDERS, readCache, writeCache } from './providers.ts'
import { defaultThreads } from './session.ts'
import { imageFiles } from './variants.ts'

/** How one candidate did. */
export interface Rating {
  readonly candidate: Candidate
  readonly msPerImage?: number
  /** Cosine of the canaries with the known embeddings. */
  readonly cosine?: number
  /** Nodes by the provider that computed them. */
  readonly nodes?: Readonly<Record<string, number>>
  readonly refused?: string
}

const BENCHMARK_MS = 2000
/** Within so much of the fastest, the order of `PROVIDERS` decides: a repeated measurement then gives the same choice. */
const SAME_SPEED = 1.05

/** What there is to choose from here; a variant whose file was not copied to this device is none. */
export async function candidatesIn(
  dir: string,
  manifest: ModelManifest,
  available: readonly ExecutionProvider[],
): Promise<Candidate[]> {
  const all = candidatesOf(manifest, available)
  const there = await Promise.all(
    all.map(({ variant, file }) =>
      access(join(dir, file)).then(
        () => true,
        () => variant === undefined,
      ),
    ),
  )
  const found = all.filter((_, at) => there[at])
  const [own] = imageFiles(manifest)
  const lacking = available.filter(name => !found.some(({ provider }) => provider === name))
  return [...found, ...lacking.map(provider => candidateOf(provider, own!))]
}

/** Measures the candidates, or recalls what they did before. Trusted ones come first, the one to take in front. */
export async function rate(
  manifest: ModelManifest,
  candidates: readonly Candidate[],
  options: ChooseOptions,
): Promise<Rating[]> {
  const { cacheDir, threads = defaultThreads() } = options
  // Variants are not part of the fingerprint, but another file is another measurement.
  const files = imageFiles(manifest).map(({ file }) => file.sha256.slice(0, 12))
  const names = candidates.map(({ provider, file }) => `${provider}:${file}`)
  const key = [modelFingerprint(manifest), ...files, await deviceKey(), threads, ...names].join(' ')
  const path = cacheDir && join(cacheDir, 'provider-ratings.json')
  const cached = path && ((await readCache(path)) as { key?: string; ratings?: Rating[] } | undefined)
  if (
    cached &&
    cached.key === key &&
    cached.ratings &&
    (await enginesKept(manifest, cached.ratings, options))
  )
    return cached.ratings

  const known = (await knownCanary(manifest, cacheDir)) ?? (await canaryOnCpu(manifest, options))
  const ratings: Rating[] = []
  for (const candidate of candidates) {
    const measureMs = BENCHMARK_MS / candidates.length
    ratings.push(ratingOf(await measureOne(candidate, manifest, { options, measureMs }), known))
  }
  const sorted = inOrder(ratings)
  // A refusal may pass (a busy machine, a driver that is being updated), so it is not kept.
  if (path && sorted.every(({ refused }) => refused === undefined))
    await writeCache(path, { key, ratings: sorted })
  return sorted
}

/** A remembered choice of TensorRT is worth nothing without its engine: the session would build one, unseen. */
async function enginesKept(
  manifest: ModelManifest,
  [best]: readonly Rating[],
  { dir, cacheDir }: ChooseOptions,
): Promise<boolean> {
  if (best === undefined) return false
  const { candidate } = best
  return !(await needsEngine({ candidate, dir, engineDir: await engineDirOf(cacheDir, manifest, candidate) }))
}

function ratingOf(measured: Measurement, known: CanaryVectors): Rating {
  const { candidate } = measured
  if (!measured.ok) return { candidate, refused: measured.reason }
  const { msPerImage, nodes } = measured
  try {
    return { candidate, msPerImage, nodes, cosine: checkCanary(measured.canary, known).image }
  } catch (error) {
    return { candidate, msPerImage, nodes, refused: messageOf(error) }
  }
}

/** The one to take, the other trusted ones by speed, the refused. */
function inOrder(ratings: readonly Rating[]): Rating[] {
  const trusted = ratings.filter(({ refused }) => refused === undefined)
  const refused = ratings.filter(rating => rating.refused !== undefined)
  const bySpeed = [...trusted].sort((a, b) => a.msPerImage! - b.msPerImage!)
  const limit = SAME_SPEED * (bySpeed[0]?.msPerImage ?? 0)
  const rank = ({ candidate }: Rating) => PROVIDERS.indexOf(candidate.provider)
  // A stable sort: among the files of one provider the manifest's own comes first.
  const [best] = trusted.filter(({ msPerImage }) => msPerImage! <= limit).sort((a, b) => rank(a) - rank(b))
  return [...(best ? [best] : []), ...bySpeed.filter(rating => rating !== best), ...refused]
}

/** What the CPU says, for a model whose manifest has no canary. */
async function canaryOnCpu(manifest: ModelManifest, options: ChooseOptions): Promise<CanaryVectors> {
  const [own] = imageFiles(manifest)
  const measured = await measureOne(candidateOf('cpu', own!), manifest, { options, measureMs: 0.001 })
  if (!measured.ok) throw fault('MODEL_FAILED', `the model does not run on the CPU: ${measured.reason}`)
  checkCanary(measured.canary, undefined)
  if (options.cacheDir !== undefined) await rememberCanary(manifest, options.cacheDir, measured.canary)
  return measured.canary
}

async function measureOne(
  candidate: Candidate,
  manifest: ModelManifest,
  { options, measureMs }: { options: ChooseOptions; measureMs: number },
): Promise<Measurement> {
  const { dir, cacheDir, threads = defaultThreads(), clock = systemClock, onState = () => {} } = options
  const { provider, variant } = candidate
  const spoilt = await whatIsWrong(candidate, manifest, options)
  if (spoilt !== undefined) return { candidate, ok: false, reason: spoilt }
  onState({ state: 'measuring', provider, ...(variant === undefined ? {} : { variant }) })
  const engineDir = await engineDirOf(cacheDir, manifest, candidate)
  const run = () =>
    (options.measure ?? measure)(candidate, {
      dir,
      manifest,
      threads,
      measureMs,
      ...(engineDir === undefined ? {} : { engineDir }),
    })
  if (!(await needsEngine({ candidate, dir, engineDir }))) return run()
  const onProgress = (progress: object & { elapsedMs: number }) =>
    onState({ state: 'building TensorRT engine', ...progress })
  const build = { cacheDir, engineDir, dir, manifest, candidate, clock, onProgress }
  return watchBuild(build, run, measured => (measured.ok ? measured.readyMs : undefined))
}

/** Why a file may not be used. The manifest's own was checked before. */
async function whatIsWrong(
  { variant }: Candidate,
  manifest: ModelManifest,
  { dir, cacheDir }: ChooseOptions,
): Promise<string | undefined> {
  if (variant === undefined) return undefined
  const found = imageFiles(manifest).find(each => each.variant === variant)
  try {
    await verifyFiles(dir, [found!.file], cacheDir === undefined ? {} : { cacheDir })
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}
