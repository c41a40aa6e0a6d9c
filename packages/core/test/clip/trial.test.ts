import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { PROBE_INPUT, probeExpected, probeModel } from '@sightline/core/clip/probe-model.js'
import { runTrial } from '@sightline/core/clip/trial.js'
import onnxProto from 'onnx-proto'
import { describe, expect, test } from 'vitest'
import { modelDirectory } from './pretended-providers.ts'

const at = modelDirectory()
const trial = {
  model: probeModel(),
  provider: 'cpu' as const,
  feeds: [{ name: PROBE_INPUT.name, dims: PROBE_INPUT.dims, data: PROBE_INPUT.data }],
  output: 'y',
  measureMs: 1,
  threads: 1,
}

describe('a trial in a child process', () => {
  test('computes, times its runs and tells where the nodes ran', async () => {
    const outcome = await runTrial(trial, { timeoutMs: 20_000 })
    expect(outcome).toMatchObject({ ok: true, dims: [1, 16], nodes: { cpu: 2 } })
    if (!outcome.ok) return
    expect(outcome.runMs.length).toBeGreaterThanOrEqual(3)
    for (const [i, value] of probeExpected().entries()) expect(outcome.data[i]).toBeCloseTo(value, 5)
  })

  test.each([
    ['process.abort()', 20_000, /SIGABRT/],
    ['process.stderr.write("driver is broken\\n"); process.exit(7)', 20_000, /with 7: driver is broken/],
    ['setInterval(() => {}, 1000)', 500, /no answer within 0\.5 s/],
  ])('survives a child that does %s', async (code, timeoutMs, reason) => {
    const script = join(at.root, `child-${code.length}.mjs`)
    await writeFile(script, `process.once('message', () => { ${code} })`)
    const outcome = await runTrial(trial, { timeoutMs, script: pathToFileURL(script) })
    expect(outcome).toMatchObject({ ok: false, reason: expect.stringMatching(reason) })
  })

  test('says what ONNX Runtime says', async () => {
    const outcome = await runTrial({ ...trial, model: join(at.root, 'no.onnx') }, { timeoutMs: 20_000 })
    expect(outcome).toMatchObject({ ok: false, reason: expect.stringMatching(/no\.onnx/) })
  })

  test('the graph that it probes with is a valid one', () => {
    const { graph } = onnxProto.onnx.ModelProto.decode(probeModel())
    expect(graph!.node!.map(({ opType }) => opType)).toEqual(['MatMul', 'Relu'])
    expect(graph!.initializer![0]!.rawData!.length).toBe(16 * 16 * 4)
  })
})
