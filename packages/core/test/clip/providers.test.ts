import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { probeExpected } from '@sightline/core/clip/probe-model.js'
import { type ExecutionProvider, probeProviders } from '@sightline/core/clip/providers.js'
import type { TrialOutcome } from '@sightline/core/clip/trial.js'
import { describe, expect, test } from 'vitest'
import { modelDirectory } from './pretended-providers.ts'

const at = modelDirectory()
const answer: TrialOutcome = {
  ok: true,
  data: probeExpected(),
  dims: [1, 16],
  readyMs: 1,
  runMs: [],
  nodes: {},
}

describe('probing', () => {
  test('needs the right numbers, and tells crash and hang apart from absence', async () => {
    const outcomes: Partial<Record<ExecutionProvider, TrialOutcome>> = {
      cuda: { ok: false, reason: 'the process ended with SIGSEGV' },
      webgpu: { ...answer, data: new Float32Array(16) },
      tensorrt: answer,
    }
    const reports = await probeProviders({ thorough: true, run: async provider => outcomes[provider]! })
    const available = Object.fromEntries(reports.map(report => [report.provider, report.available]))
    expect(available).toEqual({ tensorrt: true, cuda: false, webgpu: false, cpu: true })
    for (const { available, remedy } of reports) expect(remedy === undefined).toBe(available)
    expect(reports[2]!.reason).toMatch(/wrong numbers/)
  })

  test('of what is there is remembered until the device changes', async () => {
    let runs = 0
    const run = async () => {
      runs++
      return answer
    }
    const options = { providers: ['cuda'], thorough: true, cacheDir: at.cacheDir, run } as const
    await probeProviders(options)
    expect(await probeProviders(options)).toMatchObject([{ provider: 'cuda', available: true }])
    expect(runs).toBe(1)
    const path = join(at.cacheDir, 'providers.json')
    const cache = JSON.parse(await readFile(path, 'utf8'))
    await writeFile(path, JSON.stringify({ ...cache, key: 'another driver' }))
    await probeProviders(options)
    expect(runs).toBe(2)
    await writeFile(path, '{ torn')
    await probeProviders(options)
    expect(runs).toBe(3)
  })

  test('really happens here for every provider', async () => {
    const reports = await probeProviders({ thorough: true })
    expect(reports.map(({ provider }) => provider)).toEqual(['tensorrt', 'cuda', 'webgpu', 'cpu'])
    expect(reports.at(-1)!.available).toBe(true)
  })
})
