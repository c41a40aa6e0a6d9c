import type { Layer } from '@sightline/models/quantize/layers.js'
import { silent } from '@sightline/models/quantize/progress.js'
import { type SearchInput, searchLayers } from '@sightline/models/quantize/sensitivity.js'
import { expect, test } from 'vitest'

/** A world in which each layer costs a known amount and time passes with every comparison. */
function world(
  harm: Readonly<Record<string, number>>,
  options: { minCosine: number; budgetMs?: number; stepMs?: number },
) {
  const layers = Object.keys(harm).map(id => ({ id }) as Layer)
  let nowMs = 0
  let compared = 0
  const input: SearchInput = {
    layers,
    build: async chosen => ({ producerName: chosen.map(({ id }) => id).join(' ') }),
    compare: async model => {
      compared++
      nowMs += options.stepMs ?? 1
      const cost = (model.producerName ?? '').split(' ').reduce((sum, id) => sum + (harm[id] ?? 0), 0)
      const mean = 1 - cost
      return { mean, p1: mean, min: mean, centred: null, neighbours: null }
    },
    minCosine: options.minCosine,
    budgetMs: options.budgetMs ?? 1e6,
    now: () => nowMs,
  }
  return { input, compared: () => compared }
}

const names = (kept: readonly { layer: Layer }[]) => kept.map(({ layer }) => layer.id).sort()

test('nothing is searched when everything in int8 is good enough', async () => {
  const { input, compared } = world({ a: 0.001, b: 0.002 }, { minCosine: 0.99 })
  const result = await searchLayers(input, silent)
  expect(result).toMatchObject({ reached: true, kept: [] })
  expect(compared()).toBe(1)
})

test('exactly the harmful layers stay in float', async () => {
  const harm = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`l${at}`, 0.0001]))
  const { input } = world({ ...harm, l7: 0.05, l21: 0.02, l39: 0.03 }, { minCosine: 0.99 })
  const result = await searchLayers(input, silent)
  expect(result.reached).toBe(true)
  expect(names(result.kept)).toEqual(['l21', 'l39', 'l7'])
  expect(result.kept[0]).toMatchObject({ layer: { id: 'l7' }, cosineAlone: 0.95 })
  expect(result.agreement.mean).toBeGreaterThanOrEqual(0.99)
})

test('a layer that was kept without need is taken back', async () => {
  // b costs most alone, yet a alone would do: 0.02 - 0.012 is within the target.
  const { input } = world({ a: 0.012, b: 0.0055, c: 0.0055 }, { minCosine: 0.985 })
  expect(names((await searchLayers(input, silent)).kept)).toEqual(['a'])
})

test('a target that no choice reaches is reported, not met by quantising nothing', async () => {
  const { input } = world({ a: 0.5, b: 0.5, c: 0.5 }, { minCosine: 0.99 })
  const result = await searchLayers(input, silent)
  expect(result.reached).toBe(false)
  expect(result.kept.length).toBeLessThan(3)
})

test('the search ends with its time', async () => {
  const harm = Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`l${at}`, 0.001]))
  const { input, compared } = world(harm, { minCosine: 0.99, budgetMs: 100, stepMs: 10 })
  const result = await searchLayers(input, silent)
  expect(compared()).toBeLessThanOrEqual(14)
  expect(result.kept.every(({ cosineAlone }) => cosineAlone === null || cosineAlone < 1)).toBe(true)
})
