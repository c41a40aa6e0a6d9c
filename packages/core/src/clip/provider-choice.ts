import type { Clock } from '../clock.ts'
import { fault } from '../errors.ts'
import type { Candidate, measure } from './benchmark.ts'
import type { BuildProgress } from './engine-build.ts'
import { readManifest, verifyFiles } from './model-files.ts'
import type { VariantName } from './model-manifest.ts'
import { candidatesIn, type Rating, rate } from './provider-rating.ts'
import {
  type ExecutionProvider,
  PROVIDERS,
  type ProviderReport,
  type ProviderSetting,
  probeProviders,
} from './providers.ts'

export type { Rating } from './provider-rating.ts'

/** What choosing is busy with, for a log line or a display. */
export type ProviderState =
  | { readonly state: 'probing'; readonly provider: ProviderSetting }
  | ({ readonly state: 'building TensorRT engine' } & BuildProgress)
  | ({ readonly state: 'measuring' } & StateOfOne)
  | ({ readonly state: 'refused' | 'chosen'; readonly reason: string } & StateOfOne)

interface StateOfOne {
  readonly provider: ExecutionProvider
  /** Undefined for the file that the manifest names first. */
  readonly variant?: VariantName
}

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

export interface ProviderChoice {
  readonly provider: ExecutionProvider
  /** The provider with the file that it is to compute. */
  readonly candidate: Candidate
  readonly reason: string
  readonly reports: readonly ProviderReport[]
  /** Trusted ones first, the fastest in front; empty where there was nothing to choose. */
  readonly ratings: readonly Rating[]
}

/**
 * Chooses where a model runs, and on which of the image tower's files. `auto` measures every pair that works and passes
 * the canaries, and takes the fastest; an explicit provider is used or refused, never replaced.
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

  const chosen = (candidate: Candidate, reason: string, ratings: readonly Rating[] = []) => {
    onState({ state: 'chosen', ...stateOf(candidate), reason })
    return { provider: candidate.provider, candidate, reason, reports, ratings }
  }
  const candidates = await candidatesIn(dir, manifest, available)
  const [first] = candidates
  if (candidates.length === 1 && first!.provider === 'cpu')
    return chosen(first!, wanted === 'cpu' ? 'as configured' : 'the only one that works here')

  const ratings = await rate(manifest, candidates, options)
  for (const { candidate, refused } of ratings) {
    if (refused !== undefined) onState({ state: 'refused', ...stateOf(candidate), reason: refused })
  }
  const best = ratings.find(({ refused }) => refused === undefined)
  if (best === undefined) {
    const reasons = ratings.map(({ candidate, refused }) => `${nameOf(candidate, ratings)}: ${refused}`)
    throw fault('PROVIDER_UNTRUSTED', `no provider computes this model rightly: ${reasons.join('; ')}`)
  }
  return chosen(best.candidate, reasonOf(best, ratings, wanted), ratings)
}

function reasonOf({ msPerImage }: Rating, ratings: readonly Rating[], wanted: ProviderSetting): string {
  const names = candidates(ratings)
  const fastest = `the fastest of ${names.join(', ')} (${msPerImage!.toFixed(1)} ms a picture)`
  if (wanted === 'auto') return fastest
  return names.length === 1 ? 'as configured' : `as configured; ${fastest}`
}

function candidates(ratings: readonly Rating[]): string[] {
  const inOrder = [...ratings].sort(
    (a, b) => PROVIDERS.indexOf(a.candidate.provider) - PROVIDERS.indexOf(b.candidate.provider),
  )
  return inOrder.map(({ candidate }) => nameOf(candidate, ratings))
}

/** With the precision where there is more than one file. */
function nameOf({ provider, precision, variant }: Candidate, ratings: readonly Rating[]): string {
  const files = new Set(ratings.map(({ candidate }) => candidate.file))
  return files.size > 1 ? `${provider} ${variant ?? precision}` : provider
}

function stateOf({ provider, variant }: Candidate) {
  return { provider, ...(variant === undefined ? {} : { variant }) }
}

/** PROVIDER_UNAVAILABLE with what would make it available. */
export function unavailable({ provider, reason, remedy }: ProviderReport) {
  return fault('PROVIDER_UNAVAILABLE', `${provider} cannot be used here: ${reason}. ${remedy ?? ''}`.trim(), {
    details: { provider, reason },
  })
}
