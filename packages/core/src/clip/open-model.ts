import { fault, messageOf } from '../errors.ts'
import type { Candidate } from './benchmark.ts'
import {
  type CanaryResult,
  type CanaryVectors,
  checkCanary,
  embedCanary,
  knownCanary,
  rememberCanary,
} from './canary.ts'
import { engineDirOf } from './engine-build.ts'
import { type ClipModel, type LoadModelOptions, loadModel } from './model.ts'
import { readManifest } from './model-files.ts'
import { type ChooseOptions, chooseProvider, type ProviderChoice } from './provider-choice.ts'

export type OpenModelOptions = Omit<LoadModelOptions, 'provider' | 'engineDir' | 'imageVariant'> &
  Omit<ChooseOptions, 'probe'>

export interface OpenModel {
  readonly model: ClipModel
  readonly choice: ProviderChoice
  /** Cosines with the known embeddings; undefined when there are none yet and these were kept as such. */
  readonly canary: CanaryResult | undefined
}

/**
 * Chooses a provider and a file, opens the model with them and lets the canaries pass through the very sessions that will
 * be used. A pair that fails here after all makes room for the next best, and `onState` is told; an explicit provider
 * never does so for another one.
 * @throws PROVIDER_UNAVAILABLE, PROVIDER_UNTRUSTED, MODEL_*
 */
export async function openModel(options: OpenModelOptions): Promise<OpenModel> {
  const choice = await chooseProvider(options)
  const others = choice.ratings
    .filter(({ refused }) => refused === undefined)
    .map(({ candidate }) => candidate)
  const inOrder = [choice.candidate, ...others.filter(other => !isSame(other, choice.candidate))]
  for (const candidate of inOrder) {
    const { provider, variant } = candidate
    try {
      const { model, canary } = await openOn(candidate, options)
      return { model, canary, choice: { ...choice, provider, candidate } }
    } catch (error) {
      if (candidate === inOrder.at(-1)) throw error
      const file = variant === undefined ? {} : { variant }
      options.onState?.({ state: 'refused', provider, ...file, reason: messageOf(error) })
    }
  }
  throw fault('PROVIDER_UNTRUSTED', 'no provider is left')
}

function isSame(a: Candidate, b: Candidate): boolean {
  return a.provider === b.provider && a.file === b.file
}

async function openOn(
  candidate: Candidate,
  options: Omit<LoadModelOptions, 'provider'>,
): Promise<Pick<OpenModel, 'model' | 'canary'>> {
  const { towers = ['image', 'text'], cacheDir, dir } = options
  const { provider, variant } = candidate
  const engineDir = await engineDirOf(cacheDir, await readManifest(dir), candidate)
  const model = await loadModel({
    ...options,
    provider,
    ...(variant === undefined ? {} : { imageVariant: variant }),
    ...(engineDir === undefined ? {} : { engineDir }),
  })
  try {
    const stored = await knownCanary(model.manifest, cacheDir)
    const missing = stored === undefined || (towers.includes('text') && stored.text === undefined)
    const isReference = provider === 'cpu' && variant === undefined
    // Any other needs someone to compare with; the CPU with the manifest's own file is that someone.
    const known = missing && !isReference ? await embedOnCpu(options, towers) : stored
    const found = await embedCanary(model, towers)
    const canary = checkCanary(found, known)
    if (missing && isReference && cacheDir !== undefined)
      await rememberCanary(model.manifest, cacheDir, found)
    return { model, canary: known && canary }
  } catch (error) {
    await model.close()
    throw error
  }
}

async function embedOnCpu(
  options: Omit<LoadModelOptions, 'provider'>,
  towers: readonly string[],
): Promise<CanaryVectors> {
  const { cacheDir } = options
  const model = await loadModel({ ...options, provider: 'cpu' })
  try {
    const found = await embedCanary(model, towers)
    checkCanary(found, undefined)
    if (cacheDir !== undefined) await rememberCanary(model.manifest, cacheDir, found)
    return found
  } finally {
    await model.close()
  }
}
