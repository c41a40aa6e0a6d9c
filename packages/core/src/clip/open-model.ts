import { fault, messageOf } from '../errors.ts'
import {
  type CanaryResult,
  type CanaryVectors,
  checkCanary,
  embedCanary,
  knownCanary,
  rememberCanary,
} from './canary.ts'
import { type ClipModel, type LoadModelOptions, loadModel } from './model.ts'
import { type ChooseOptions, chooseProvider, type ProviderChoice } from './provider-choice.ts'
import type { ExecutionProvider } from './providers.ts'

export type OpenModelOptions = Omit<LoadModelOptions, 'provider' | 'engineDir'> &
  Omit<ChooseOptions, 'probe' | 'measure'>

export interface OpenModel {
  readonly model: ClipModel
  readonly choice: ProviderChoice
  /** Cosines with the known embeddings; undefined when there are none yet and these were kept as such. */
  readonly canary: CanaryResult | undefined
}

/**
 * Chooses a provider, opens the model on it and lets the canaries pass through the very sessions that will be used.
 * With `auto`, a provider that fails here after all makes room for the next best, and `onState` is told; an explicit
 * one never does.
 * @throws PROVIDER_UNAVAILABLE, PROVIDER_UNTRUSTED, MODEL_*
 */
export async function openModel(options: OpenModelOptions): Promise<OpenModel> {
  const choice = await chooseProvider(options)
  const others = choice.ratings.filter(({ refused }) => refused === undefined)
  const inOrder = [choice.provider, ...others.map(({ candidate }) => candidate.provider)]
  for (const provider of new Set(inOrder)) {
    try {
      const { model, canary } = await openOn(provider, { ...options, ...engine(choice) })
      return { model, canary, choice: { ...choice, provider } }
    } catch (error) {
      if (options.provider !== 'auto' || provider === inOrder.at(-1)) throw error
      options.onState?.({ state: 'refused', provider, reason: messageOf(error) })
    }
  }
  throw fault('PROVIDER_UNTRUSTED', 'no provider is left')
}

function engine({ engineDir }: ProviderChoice): { engineDir?: string } {
  return engineDir === undefined ? {} : { engineDir }
}

async function openOn(
  provider: ExecutionProvider,
  options: Omit<LoadModelOptions, 'provider'>,
): Promise<Pick<OpenModel, 'model' | 'canary'>> {
  const { towers = ['image', 'text'], cacheDir } = options
  const model = await loadModel({ ...options, provider })
  try {
    const stored = await knownCanary(model.manifest, cacheDir)
    const missing = stored === undefined || (towers.includes('text') && stored.text === undefined)
    // Another provider needs someone to compare with; the CPU is that someone.
    const known = missing && provider !== 'cpu' ? await embedOnCpu(options, towers) : stored
    const found = await embedCanary(model, towers)
    const canary = checkCanary(found, known)
    if (missing && provider === 'cpu' && cacheDir !== undefined)
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
