import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type Clock, systemClock } from '../clock.ts'
import { fault, messageOf } from '../errors.ts'
import { type Candidate, candidatesOf, type Measurement, measure } from './benchmark.ts'
import { type CanaryVectors, checkCanary, knownCanary, rememberCanary } from './canary.ts'
import { readManifest, verifyFiles } from './model-files.ts'
import { type ModelManifest, modelFingerprint } from './model-manifest.ts'
import {
  deviceKey,
  type ExecutionProvider,
  PROVIDERS,
  type ProviderReport,
  type ProviderSetting,
  probeProviders,
  readCache,
  runtimeVersion,
  writeCache,
} from './providers.ts'
import { defaultThreads } from './session.ts'

/** What choosing is busy with, for a log line or a display. */
export type ProviderState =
  | { readonly state: 'probing'; readonly provider: ProviderSetting }
  | { readonly state: 'building TensorRT engine'; readonly elapsedMs: number }
  | { readonly state: 'measuring'; readonly provider: ExecutionProvider }
  | { readonly state: 'refused'; readonly provider: ExecutionProvider; readonly reason: string }
  | { readonly state: 'chosen'; readonly provider: ExecutionProvider; readonly reason: string }

export interface ChooseOptions {
  /** Model directory. */
  readonly dir: string
  readonly provider: ProviderSetting
  readonly threads?: number
  /** Where answers, canaries and engines are kept; without it everything is found out anew. */
  readonly cacheDir?: string
  readonly clock?: Clock
  readonly onState?: (state: ProviderState) => void
  readonly probe?: typeof probeProviders
  readonly measure?: typeof measure
}

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

export interface ProviderChoice {
  readonly provider: ExecutionProvider
  readonly reason: string
  readonly reports: readonly ProviderReport[]
  /** Trusted ones first, the fastest in front; empty where there was nothing to choose. */
  readonly ratings: readonly Rating[]
  readonly engineDir: string | undefined
}

const BENCHMARK_MS = 2000
const PROGRESS_MS = 5000
/** Within so much of the fastest, the order of `PROVIDERS` decides: a repeated measurement then gives the same choice. */
const SAME_SPEED = 1.05

/**
 * Chooses where a model runs. `auto` measures every provider that works and passes the canaries, and takes the fastest;
 * an explicit one is used or refused, never replaced.
 * @throws PROVIDER_UNAVAILABLE, PROVIDER_UNTRUSTED, MODEL_MISSING, MODEL_INVALID, MODEL_FILE_CORRUPT
 */
export async function chooseProvider(options: ChooseOptions): Promise<ProviderChoice> {
  const { dir, provider: wanted, cacheDir, onState = () => {}, probe = probeProviders } = options
  const manifest = await readManifest(dir)
  await verifyFiles(dir, [manifest.image.file], cacheDir === undefined ? {} : { cacheDir })
  onState({ state: 'probing', provider: wanted })
  const reports = await probe({
    providers: wanted === 'auto' ? PROVIDERS : [wanted],
    thorough: wanted !== 'auto',
    ...(cacheDir === undefined ? {} : { cacheDir }),
  })
  const available = reports.filter(report => report.available).map(({ provider }) => provider)
  if (available.length === 0) throw unavailable(reports[0]!)

  const chosen = (provider: ExecutionProvider, reason: string, rest: Partial<ProviderChoice> = {}) => {
    onState({ state: 'chosen', provider, reason })
    return { provider, reason, reports, ratings: [], engineDir: undefined, ...rest }
  }
  if (available.length === 1 && available[0] === 'cpu')
    return chosen('cpu', wanted === 'cpu' ? 'as configured' : 'the only one that works here')

  const engineDir = cacheDir && join(cacheDir, 'tensorrt', await engineKey(manifest))
  const ratings = await rate({ manifest, available, engineDir }, options)
  for (const { candidate, refused } of ratings) {
    if (refused !== undefined) onState({ state: 'refused', provider: candidate.provider, reason: refused })
  }
  const best = ratings.find(({ refused }) => refused === undefined)
  if (best === undefined) {
    const reasons = ratings.map(({ candidate, refused }) => `${candidate.provider}: ${refused}`)
    throw fault('PROVIDER_UNTRUSTED', `no provider computes this model rightly: ${reasons.join('; ')}`)
  }
  const reason =
    wanted === 'auto'
      ? `the fastest of ${available.join(', ')} (${best.msPerImage!.toFixed(1)} ms a picture)`
      : 'as configured'
  return chosen(best.candidate.provider, reason, { ratings, engineDir })
}

function unavailable({ provider, reason, remedy }: ProviderReport) {
  return fault('PROVIDER_UNAVAILABLE', `${provider} cannot be used here: ${reason}. ${remedy ?? ''}`.trim(), {
    details: { provider, reason },
  })
}

/** Engines fit one model, one device and one version of everything between. */
async function engineKey(manifest: ModelManifest): Promise<string> {
  const parts = [modelFingerprint(manifest), runtimeVersion(), await deviceKey()]
  return createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)
}

interface Field {
  readonly manifest: ModelManifest
  readonly available: readonly ExecutionProvider[]
  readonly engineDir: string | undefined
}

/** Measures the candidates, or recalls what they did before. */
async function rate(field: Field, options: ChooseOptions): Promise<Rating[]> {
  const { manifest, available } = field
  const { cacheDir, threads = defaultThreads() } = options
  const key = [modelFingerprint(manifest), await deviceKey(), threads, ...available].join(' ')
  const path = cacheDir && join(cacheDir, 'provider-ratings.json')
  const cached = path && ((await readCache(path)) as { key?: string; ratings?: Rating[] } | undefined)
  if (cached && cached.key === key && cached.ratings) return cached.ratings

  const known = (await knownCanary(manifest, cacheDir)) ?? (await canaryOnCpu(field, options))
  const ratings: Rating[] = []
  for (const candidate of candidatesOf(manifest, available)) {
    const measured = await measureOne(candidate, field, {
      options,
      measureMs: BENCHMARK_MS / available.length,
    })
    ratings.push(ratingOf(measured, known))
  }
  ratings.sort(bySpeed)
  // A refusal may pass (a busy machine, a driver that is being updated), so it is not kept.
  if (path && ratings.every(({ refused }) => refused === undefined)) await writeCache(path, { key, ratings })
  return ratings
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

function bySpeed(a: Rating, b: Rating): number {
  if ((a.refused === undefined) !== (b.refused === undefined)) return a.refused === undefined ? -1 : 1
  const [first, second] = [a.msPerImage ?? Infinity, b.msPerImage ?? Infinity]
  if (Math.max(first, second) <= SAME_SPEED * Math.min(first, second)) {
    return PROVIDERS.indexOf(a.candidate.provider) - PROVIDERS.indexOf(b.candidate.provider)
  }
  return first - second
}

/** What the CPU says, for a model whose manifest has no canary. */
async function canaryOnCpu(field: Field, options: ChooseOptions): Promise<CanaryVectors> {
  const { manifest } = field
  const [candidate] = candidatesOf(manifest, ['cpu'])
  const measured = await measureOne(candidate!, field, { options, measureMs: 0.001 })
  if (!measured.ok) throw fault('MODEL_FAILED', `the model does not run on the CPU: ${measured.reason}`)
  checkCanary(measured.canary, undefined)
  if (options.cacheDir !== undefined) await rememberCanary(manifest, options.cacheDir, measured.canary)
  return measured.canary
}

async function measureOne(
  candidate: Candidate,
  { manifest, engineDir }: Field,
  { options, measureMs }: { options: ChooseOptions; measureMs: number },
): Promise<Measurement> {
  const { dir, threads = defaultThreads(), clock = systemClock, onState = () => {} } = options
  onState({ state: 'measuring', provider: candidate.provider })
  const done = new AbortController()
  if (candidate.provider === 'tensorrt') void reportBuilding(clock, onState, done.signal)
  try {
    return await (options.measure ?? measure)(candidate, {
      dir,
      manifest,
      threads,
      measureMs,
      ...(engineDir === undefined ? {} : { engineDir }),
    })
  } finally {
    done.abort()
  }
}

/** ONNX Runtime tells nothing of a build that takes minutes, so at least the time is told. */
async function reportBuilding(
  clock: Clock,
  onState: (state: ProviderState) => void,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = clock.monotonic()
  while (!signal.aborted) {
    await clock.sleep(PROGRESS_MS, signal).catch(() => {})
    if (!signal.aborted)
      onState({ state: 'building TensorRT engine', elapsedMs: clock.monotonic() - startedMs })
  }
}
