import type { ModelProto } from '../onnx/proto.ts'
import type { Layer } from './layers.ts'
import type { Agreement } from './measure.ts'
import type { Progress } from './progress.ts'

export interface SearchInput {
  readonly layers: readonly Layer[]
  /** Builds the model with the given layers quantised and the rest in float. */
  build(layers: readonly Layer[]): Promise<ModelProto>
  /** Compares with float; `quick` looks at a few samples only. */
  compare(model: ModelProto, quick: boolean): Promise<Agreement>
  readonly minCosine: number
  readonly budgetMs: number
  now(): number
}

export interface KeptLayer {
  readonly layer: Layer
  /** Mean cosine when this layer alone is quantised; null when the time did not reach it. */
  readonly cosineAlone: number | null
}

export interface SearchResult {
  readonly model: ModelProto
  readonly agreement: Agreement
  /** Layers left in float, most harmful first. */
  readonly kept: readonly KeptLayer[]
  readonly reached: boolean
}

/** Share of the time for measuring layers one by one; the rest is for finding how many must stay in float. */
const RANKING_SHARE = 0.6

/**
 * Quantises as much as the target allows. When everything at once is not good enough, each layer is quantised alone and
 * measured; then the smallest number of most harmful layers that must stay in float is bracketed by doubling and found by
 * bisection, and finally the kept ones are tried again, least harmful first.
 */
export async function searchLayers(input: SearchInput, progress: Progress): Promise<SearchResult> {
  const { layers, minCosine, budgetMs } = input
  const started = input.now()
  const left = () => budgetMs - (input.now() - started)
  const attempt = async (kept: readonly KeptLayer[]): Promise<SearchResult> => {
    const floats = new Set(kept.map(({ layer }) => layer))
    const model = await input.build(layers.filter(layer => !floats.has(layer)))
    const agreement = await input.compare(model, false)
    return { model, agreement, kept, reached: agreement.mean >= minCosine }
  }
  const all = await attempt([])
  if (all.reached || layers.length < 2) return all
  progress.note(
    `mean cosine ${all.agreement.mean.toFixed(5)} with every layer in int8; looking for layers to keep in float`,
  )
  const ranked = await rankLayers(input, () => left() > budgetMs * (1 - RANKING_SHARE), progress)

  let low = 0
  let best = all
  progress.start('choose layers', 0)
  for (
    let count = 1;
    !best.reached && count < layers.length && left() > 0;
    count = Math.min(count * 2, layers.length - 1)
  ) {
    best = await attempt(ranked.slice(0, count))
    progress.advance(count, `${count} in float: ${best.agreement.mean.toFixed(5)}`)
    if (!best.reached) low = count
    if (count === layers.length - 1) break
  }
  if (!best.reached) return best
  while (best.kept.length - low > 1 && left() > 0) {
    const middle = (best.kept.length + low) >> 1
    const tried = await attempt(ranked.slice(0, middle))
    progress.advance(middle, `${middle} in float: ${tried.agreement.mean.toFixed(5)}`)
    if (tried.reached) best = tried
    else low = middle
  }
  // The last of the list was needed by construction; of the others, some only seemed harmful on their own.
  for (const candidate of best.kept.slice(0, -1).reverse()) {
    if (left() <= 0) break
    const tried = await attempt(best.kept.filter(kept => kept !== candidate))
    progress.advance(tried.kept.length, `${tried.kept.length} in float: ${tried.agreement.mean.toFixed(5)}`)
    if (tried.reached) best = tried
  }
  return best
}

/** Most harmful first; layers that the time did not reach come last. */
async function rankLayers(
  input: SearchInput,
  timeLeft: () => boolean,
  progress: Progress,
): Promise<KeptLayer[]> {
  const result: KeptLayer[] = []
  progress.start('measure layers', input.layers.length)
  // Both ends of a network are the usual suspects, so they come first should the time run out.
  for (const layer of endsFirst(input.layers)) {
    let cosineAlone: number | null = null
    if (timeLeft()) cosineAlone = (await input.compare(await input.build([layer]), true)).mean
    result.push({ layer, cosineAlone })
    progress.advance(result.length, layer.id)
  }
  return result.sort((a, b) => (a.cosineAlone ?? 2) - (b.cosineAlone ?? 2))
}

function endsFirst<T>(items: readonly T[]): T[] {
  return items.map((_, at) => (at % 2 === 0 ? items[at >> 1]! : items[items.length - 1 - (at >> 1)]!))
}
