import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadOrBuildIndex } from '@sightline/edge-agent/moderation/rule-index-file.js'
import { ruleVectors } from '@sightline/edge-agent/moderation/rule-vectors.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { AXES, bundleOf, compiledRule } from '../support/bundles.ts'
import { quiet } from '../support/quiet.ts'

const RULE = compiledRule({ positives: [0, 1], positiveExamples: [2] })
const VECTORS = ruleVectors(bundleOf({ vectors: AXES, rules: [RULE] }))
const FILES = ['rules.hnsw', 'rules.hnsw.json']

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'rule-index-file-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const opened = (graphFrom = 0, bundleDigest = 'digest') =>
  loadOrBuildIndex({ vectors: VECTORS, bundleDigest, dir, log: quiet, graphFrom })
const path = (file: string) => join(dir, file)
const sealOf = async () => JSON.parse(await readFile(path('rules.hnsw.json'), 'utf8'))

describe('loadOrBuildIndex', () => {
  it('needs no graph, and keeps none, where the positives are few', async () => {
    expect((await opened(3))?.size).toBe(3)
    expect((await readdir(dir)).sort()).toEqual(FILES)
    expect(await opened(4)).toBeUndefined()
    expect(await readdir(dir)).toEqual([])
  })

  it('reads the graph that it saved', async () => {
    await opened()
    const graph = await readFile(path('rules.hnsw'))
    const index = (await opened())!
    expect([...index.propose(AXES[2]!)]).toEqual([RULE])
    expect([...index.propose(AXES[3]!)]).toEqual([])
    expect(await readFile(path('rules.hnsw'))).toEqual(graph)
  })

  it.each<[string, () => Promise<unknown>]>([
    [
      'is damaged',
      async () => writeFile(path('rules.hnsw'), (await readFile(path('rules.hnsw'))).fill(1, 90)),
    ],
    ['is gone', () => rm(path('rules.hnsw'))],
    ['has a broken seal', () => writeFile(path('rules.hnsw.json'), '{"format')],
    ['has no seal', () => rm(path('rules.hnsw.json'))],
    [
      'was built in another way',
      async () => writeFile(path('rules.hnsw.json'), JSON.stringify({ ...(await sealOf()), format: 1 })),
    ],
  ])('never opens a graph that %s: it builds it again', async (_name, damage) => {
    await opened()
    const seal = await sealOf()
    await damage()
    expect([...(await opened())!.propose(AXES[1]!)]).toEqual([RULE])
    // hnswlib draws levels at random from one seed, so the same bundle gives the same graph.
    expect(await sealOf()).toEqual(seal)
  })

  it("does not take another bundle's graph", async () => {
    await opened()
    await opened(0, 'other')
    expect((await sealOf()).bundle).toBe('other')
  })
})
