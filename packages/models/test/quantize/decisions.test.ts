import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { NEUTRAL_PROMPTS, STARTER_RULES } from '@sightline/core/moderation/starter-rules.js'
import { compareDecisions, loadTextSide, type TextSide } from '@sightline/models/quantize/decisions.js'
import type { QuantiseReport } from '@sightline/models/quantize/report.js'
import { importModel } from '@sightline/models/store/import.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { imageOnnx, textOnnx } from '../store/tiny-models.ts'
import { writePictures } from '../support/pictures.ts'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))
const MINI = join(ROOT, 'models/quantized/sightline-mini')
const MAIN = join(ROOT, 'packages/models/dist/main.js')

let dir: string
let model: string
let pictures: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-decisions-'))
  const source = join(dir, 'export')
  const files = {
    'onnx/vision_model.onnx': imageOnnx(),
    'onnx/text_model.onnx': textOnnx(),
    'tokenizer.json': await readFile(join(MINI, 'tokenizer.json')),
    'tokenizer_config.json': await readFile(join(MINI, 'tokenizer_config.json')),
  }
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(source, path)), { recursive: true })
    await writeFile(join(source, path), bytes)
  }
  const layout = new StoreLayout(join(dir, 'store'))
  const request = { dir: source, name: 'own', layout, reserveBytes: 0, contextLength: 16, size: 32 }
  model = (await importModel(request)).dir
  pictures = join(dir, 'pictures')
  await mkdir(pictures)
  await writePictures(pictures, 16)
})
afterAll(() => rm(dir, { recursive: true, force: true }))

const axis = (at: number) => Float32Array.from({ length: 4 }, (_, i) => Number(i === at))

describe('decisions', () => {
  const text: TextSide = {
    fingerprint: 'x:1',
    dim: 4,
    labels: [axis(0), axis(1)],
    labelSource: 'test',
    rules: [{ on: 0.5, minSimilarity: 0.2, positives: [axis(2)], negatives: [axis(3)] }],
    neutral: [axis(1)],
    logitScale: 10,
  }

  test('are counted picture by picture, whatever the length of the raw vectors', () => {
    const near = (at: number, length = 1) => axis(at).map((v, i) => length * (v + 0.01 * i))
    const float = [near(0), near(1), near(2, 7), near(3)]
    const quantised = [near(0, 5), near(0), near(2), near(2)]
    expect(compareDecisions(text, float, quantised)).toEqual({
      textModel: 'x:1',
      pictures: 4,
      sameLabel: 0.75,
      labels: 2,
      labelSource: 'test',
      sameRules: 0.75,
      rules: 1,
      fired: { float: 1, quantised: 2 },
    })
  })

  test('of vectors without a direction are none', () => {
    const nothing = [new Float32Array(4), new Float32Array(4).fill(Number.NaN)]
    const found = compareDecisions(text, [axis(2), axis(0)], nothing)
    expect(found).toMatchObject({ sameLabel: 0, sameRules: 0.5, fired: { float: 1, quantised: 0 } })
  })
})

test('texts are embedded by the text tower of a model directory or of its manifest', async () => {
  const found = await loadTextSide(join(model, 'manifest.json'), undefined)
  expect(found).toMatchObject({ dim: 8, labelSource: 'zero-shot.json', logitScale: 100 })
  expect(found.labels.length).toBeGreaterThan(30)
  expect(found.rules).toHaveLength(STARTER_RULES.length)
  expect(found.neutral).toHaveLength(NEUTRAL_PROMPTS.length)
})

describe('sightline-models quantize', () => {
  const run = promisify(execFile)
  const quantise = async (...flags: string[]) => {
    const fixed = ['quantize', join(model, 'image/vision_model.onnx'), '-o', join(dir, 'int8.onnx')]
    return run(process.execPath, [MAIN, ...fixed, '--calibrate', pictures, '--min-cosine', '0.9', ...flags])
  }

  test('says how often labels and rules come out the same', async () => {
    const { stdout } = await quantise('--model-dir', model, '--json')
    const { decisions } = JSON.parse(stdout) as QuantiseReport
    expect(decisions).toMatchObject({ pictures: 4, rules: 3, labelSource: 'zero-shot.json' })
    if ('notMeasured' in decisions) expect.fail(decisions.notMeasured)
    expect(decisions.textModel).toMatch(/^own:/)
    expect(decisions.sameLabel).toBeGreaterThanOrEqual(0.5)
    const labels = join(dir, 'labels.txt')
    await writeFile(labels, 'a red car\na blue sky\n\na forest\n')
    const text = (await quantise('--text-model', model, '--texts', labels, '--size', '32')).stdout
    expect(text).toMatch(/zero-shot {2}\d+\.0 % the same label {2}\(4 pictures, 3 labels of .*labels\.txt\)/)
    expect(text).toMatch(/rules {6}\d+\.0 % the same decisions .*3 starter rules: \d+ times fired by float/)
  })

  test('says so where there is no text tower, or one of another space', async () => {
    const none = await quantise('--size', '32')
    expect(none.stdout).toMatch(/decisions {2}not measured: no model with a text tower in .*--text-model/)
    const other = await quantise('--size', '32', '--text-model', MINI)
    expect(other.stdout).toMatch(/not measured: the model gives 8 values a picture, the text tower of .* 512/)
    await expect(quantise('--text-model', join(dir, 'nowhere'))).rejects.toMatchObject({
      stderr: expect.stringMatching(/MODEL_MISSING/),
    })
  })
})
