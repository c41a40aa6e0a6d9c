import { describe, expect, test } from 'vitest'
import type { SearchFacets } from '../../dashboard/src/api-types.ts'
import { choicesOf } from '../../dashboard/src/filter-choices.ts'

const cameras = [
  { site: 'home', node: 'jetson-01', camera: 'yard' },
  { site: 'home', node: 'jetson-02', camera: 'door' },
  { site: 'shop', node: 'till', camera: 'door' },
]
const rules = [
  { id: 'cat', name: 'Cat in view' },
  { id: 'fire', name: 'Fire' },
]
const tags = ['archive', 'case 12']
const facets: SearchFacets = {
  site: [{ value: 'home', count: 30 }],
  node: [
    { value: 'home/jetson-02', count: 20 },
    { value: 'home/jetson-01', count: 10 },
  ],
  camera: [
    { value: 'home/jetson-02/door', count: 20 },
    { value: 'home/jetson-01/yard', count: 10 },
  ],
  rule: [{ value: 'fire', count: 3 }],
  tag: [{ value: 'case 12', count: 4 }],
  histogram: { bucketMs: 1, buckets: [] },
}
const brief = (choices: readonly { label: string; count: number | undefined }[]) =>
  choices.map(({ label, count }) => `${label} ${count ?? '?'}`)

describe('what a filter can be set to', () => {
  test('before anything is counted: all that there is', () => {
    const {
      sites,
      nodes,
      cameras: seen,
      rules: known,
    } = choicesOf({
      ...{ facets: undefined, cameras, rules, tags, source: {}, rule: '', tag: '' },
    })
    expect(brief(sites)).toEqual(['home ?', 'shop ?'])
    expect(brief(nodes)).toEqual(['jetson-01 (home) ?', 'jetson-02 (home) ?', 'till (shop) ?'])
    expect(seen.map(({ label }) => label)).toEqual(['yard (jetson-01)', 'door (jetson-02)', 'door (till)'])
    expect(brief(known)).toEqual(['Cat in view ?', 'Fire ?'])
  })

  test('what was counted first, most of it before all; the rest is there, and has none', () => {
    const source = { site: 'home' }
    const choices = choicesOf({ facets, cameras, rules, tags, source, rule: 'gone', tag: 'gone' })
    expect(brief(choices.sites)).toEqual(['home 30', 'shop 0'])
    expect(brief(choices.nodes)).toEqual(['jetson-02 20', 'jetson-01 10'])
    expect(brief(choices.rules)).toEqual(['Fire 3', 'Cat in view 0', 'gone 0'])
    expect(brief(choices.tags)).toEqual(['case 12 4', 'archive 0', 'gone 0'])
    // The cameras of another site are no choice while one site is chosen.
    expect(choices.cameras.map(({ value }) => value)).toEqual(['home/jetson-02/door', 'home/jetson-01/yard'])
  })

  test('what is filtered by stays a choice when nobody else knows of it', () => {
    const source = { site: 'old', node: 'gone', camera: 'attic' }
    const choices = choicesOf({ facets: undefined, cameras, rules, tags, source, rule: '', tag: '' })
    expect(choices.sites.map(({ value }) => value)).toContain('old')
    expect(brief(choices.nodes)).toEqual(['gone ?'])
    expect(brief(choices.cameras)).toEqual(['attic ?'])
  })
})
