import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readModel, writeModel } from '@sightline/models/onnx/model-file.js'
import { encodeModel, type ModelProto } from '@sightline/models/onnx/proto.js'
import { silent } from '@sightline/models/quantize/progress.js'
import { type QuantiseOptions, quantiseFile } from '@sightline/models/quantize/quantize.js'
import { reportText } from '@sightline/models/quantize/report.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { attentionNet, model, node, residualNet, weight } from '../support/graphs.ts'
import { writePictures } from '../support/pictures.ts'
import { codeOf, operators } from '../support/run.ts'

let dir: string
let pictures: string
const settings = { size: 16, resize: 'squash', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } as const

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-quantise-'))
  pictures = join(dir, 'pictures')
  await mkdir(join(pictures, 'nested'), { recursive: true })
  await writePictures(pictures, 30)
  await writePictures(join(pictures, 'nested'), 10)
  await writeFile(join(pictures, 'broken.jpg'), 'no picture')
  await writeFile(join(pictures, 'notes.txt'), 'no picture either')
})

afterAll(() => rm(dir, { recursive: true, force: true }))

async function options(
  source: ModelProto | Uint8Array,
  changes: Partial<QuantiseOptions> = {},
): Promise<QuantiseOptions> {
  const input = join(dir, 'float.onnx')
  await writeFile(input, source instanceof Uint8Array ? source : encodeModel(source))
  return {
    input,
    output: join(dir, 'int8.onnx'),
    mode: 'qdq',
    target: 'cpu',
    calibration: 'percentile',
    percentile: 99.999,
    minCosine: 0.99,
    reduceRange: false,
    conv: false,
    keepFloat: [],
    samples: { pictures: { dir: pictures, settings } },
    sampleCount: 40,
    searchMs: 60_000,
    ...changes,
  }
}

const quantise = async (source: ModelProto | Uint8Array, changes: Partial<QuantiseOptions> = {}) =>
  quantiseFile(await options(source, changes), silent)

test.each(['minmax', 'percentile', 'entropy'] as const)(
  'static, %s: a smaller file that says the same',
  async calibration => {
    const report = await quantise(residualNet(), { calibration, minCosine: 0.95 })
    expect(report.samples).toEqual({ calibration: 30, measuring: 9, unreadable: 1 })
    expect(report.agreement!.mean).toBeGreaterThan(0.95)
    expect(report.bytesAfter).toBe((await stat(report.output)).size)
    const { model } = await readModel(report.output)
    expect(model.metadataProps).toMatchObject([{ key: 'sightline.quantization' }])
    const text = reportText(report)
    for (const word of ['size', 'layers', 'cosine', 'centred', 'speed', 'time']) expect(text).toContain(word)
  },
)

test('layers that cost too much stay in float, with the figure that says why', async () => {
  // One input of the last layer is a thousand times larger than the rest: 8 bits cannot hold both.
  const net = residualNet()
  const nodes = net.graph!.node!.flatMap(entry =>
    entry.opType === 'Flatten'
      ? [{ ...entry, output: ['flat'] }, node('Mul', ['flat', 'stretch'], ['f0'])]
      : [entry],
  )
  const stretch = weight('stretch', [16], 1)
  const values = new Float32Array(16).fill(1)
  values[3] = 4000
  const large = weight('w4', [32, 16], 8, 0.5)
  const shrunk = Float32Array.from(new Float32Array(large.rawData!.slice().buffer), (value, at) =>
    at % 16 === 3 ? value / 4000 : value,
  )
  const bytes = (view: Float32Array) => new Uint8Array(view.buffer)
  const initializer = [
    ...net.graph!.initializer!.filter(({ name }) => name !== 'w4'),
    { ...stretch, rawData: bytes(values) },
    { ...large, rawData: bytes(shrunk) },
  ]
  const report = await quantise({ ...net, graph: { ...net.graph, node: nodes, initializer } })
  expect(report.agreement!.mean).toBeGreaterThanOrEqual(0.99)
  expect(report.keptInFloat.map(({ layer }) => layer)).toEqual(['Gemm_embedding'])
  expect(report.keptInFloat[0]!.reason).toMatch(/cosine 0\.\d+ when int8 alone/)
})

test('dynamic needs no samples and then says that nothing was measured', async () => {
  const report = await quantise(attentionNet(), { mode: 'dynamic', samples: {} })
  expect(report).toMatchObject({ agreement: null, speed: null, layersQuantised: 5, keptInFloat: [] })
  expect(reportText(report)).toContain('not measured')
  expect(report.bytesAfter).toBeLessThan(report.bytesBefore * 0.5)
})

test('convolutions stay in float in dynamic mode unless asked for', async () => {
  const report = await quantise(residualNet(), { mode: 'dynamic' })
  expect(report.keptInFloat).toHaveLength(4)
  expect(report.layersQuantised).toBe(1)
  expect((await quantise(residualNet(), { mode: 'dynamic', conv: true })).layersQuantised).toBe(5)
})

test('layers named by the user stay in float', async () => {
  const report = await quantise(residualNet(), { keepFloat: ['Conv_c0', 'Gemm*'] })
  expect(report.keptInFloat.map(({ layer, reason }) => [layer, reason])).toEqual([
    ['Conv_c0', 'named by --keep-float'],
    ['Gemm_embedding', 'named by --keep-float'],
  ])
})

test('opset 12 is raised for per-channel scales', async () => {
  const report = await quantise(residualNet(12))
  expect(report.opset).toBe(13)
  expect(operators((await readModel(report.output)).model)).toHaveProperty('DequantizeLinear')
})

test('weights in a side file are read from there and written there', async () => {
  const changes = await options(residualNet())
  await writeModel({ model: residualNet(), dir }, changes.input, { external: true })
  const report = await quantiseFile({ ...changes, external: true }, silent)
  expect(report.agreement!.mean).toBeGreaterThan(0.99)
  const loaded = await readModel(report.output)
  expect(loaded.bytes).toBe(report.bytesAfter)
  expect(loaded.model.graph!.initializer!.some(({ dataLocation }) => dataLocation === 1)).toBe(true)
})

describe('what cannot be quantised gets a code of its own', () => {
  const vectorNet = () =>
    model({
      inputs: { x: ['b', 8] },
      outputs: ['y'],
      nodes: [node('MatMul', ['x', 'w'], ['y'])],
      weights: [weight('w', [8, 8], 1)],
    })
  const half = () => {
    const source = vectorNet()
    const w = { name: 'w', dims: [8, 8], dataType: 10, rawData: new Uint8Array(128) }
    return { ...source, graph: { ...source.graph, initializer: [w] } }
  }
  const unmatched = (): ModelProto => ({ ...residualNet(), opsetImport: [{ domain: '', version: 9999 }] })

  test.each<[string, string, () => ModelProto | Uint8Array, Partial<QuantiseOptions>]>([
    ['no ONNX file', 'QUANTISE_NOT_ONNX', () => Buffer.from('hello, world'), {}],
    ['a missing file', 'QUANTISE_NOT_ONNX', residualNet, { input: '/nowhere/model.onnx' }],
    [
      'no layer with weights',
      'QUANTISE_NOTHING',
      () => model({ inputs: { x: [1] }, outputs: ['y'], nodes: [node('Relu', ['x'], ['y'])], weights: [] }),
      {},
    ],
    ['every layer kept', 'QUANTISE_NOTHING', residualNet, { keepFloat: ['*'] }],
    ['float16 weights', 'QUANTISE_UNSUPPORTED', half, {}],
    ['no samples', 'QUANTISE_NO_SAMPLES', residualNet, { samples: {} }],
    [
      'no such folder',
      'QUANTISE_NO_SAMPLES',
      residualNet,
      { samples: { pictures: { dir: '/nowhere', settings } } },
    ],
    ['an unknown input', 'QUANTISE_INPUTS_UNKNOWN', vectorNet, {}],
    ['an old opset', 'QUANTISE_OPSET', () => residualNet(9), {}],
    ['an old opset, dynamic', 'QUANTISE_OPSET', () => residualNet(10), { mode: 'dynamic', samples: {} }],
    ['a model that ONNX Runtime cannot load', 'QUANTISE_UNSUPPORTED', unmatched, {}],
    ['an output that cannot be written', 'QUANTISE_OUTPUT', residualNet, { output: '/nowhere/out.onnx' }],
    ['a target beyond reach', 'QUANTISE_TARGET_UNREACHABLE', residualNet, { minCosine: 1.1 }],
  ])('%s: %s', async (_, code, source, changes) => {
    expect(await codeOf(() => quantise(source(), changes))).toBe(code)
  })

  test('the result of the quantiser itself', async () => {
    const first = await options(residualNet())
    await quantiseFile(first, silent)
    const again = { ...first, input: first.output, output: join(dir, 'twice.onnx') }
    expect(await codeOf(() => quantiseFile(again, silent))).toBe('QUANTISE_ALREADY')
  })

  test('an empty folder and sentences without a tokenizer', async () => {
    const empty = join(dir, 'empty')
    await mkdir(empty, { recursive: true })
    expect(
      await codeOf(() => quantise(residualNet(), { samples: { pictures: { dir: empty, settings } } })),
    ).toBe('QUANTISE_NO_SAMPLES')
    const file = join(dir, 'texts.txt')
    await writeFile(file, 'a dog\n')
    const none = join(dir, 'none.json')
    const text = {
      tokenizerPath: none,
      tokenizerConfigPath: none,
      contextLength: 8,
      padTo: 'longest',
      padId: 0,
      clean: 'none',
    } as const
    expect(
      await codeOf(() => quantise(attentionNet(), { samples: { texts: { file, settings: text } } })),
    ).toBe('QUANTISE_NO_SAMPLES')
  })
})
