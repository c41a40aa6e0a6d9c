import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { GraphIndex } from '@sightline/models/onnx/graph.js'
import { readModel } from '@sightline/models/onnx/model-file.js'
import { quantiseDynamic } from '@sightline/models/quantize/dynamic.js'
import { surveyLayers } from '@sightline/models/quantize/layers.js'
import { cosine } from '@sightline/models/quantize/measure.js'
import { silent } from '@sightline/models/quantize/progress.js'
import { type QuantiseOptions, quantiseFile } from '@sightline/models/quantize/quantize.js'
import { WeightStore } from '@sightline/models/quantize/weights.js'
import ort from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { random } from '../support/graphs.ts'
import { writePictures } from '../support/pictures.ts'
import { output, withTempDir } from '../support/run.ts'

const arch = join(process.env.SIGHTLINE_TEST_DATA ?? '', 'parity', 'arch')
const there = process.env.SIGHTLINE_TEST_DATA !== undefined && existsSync(join(arch, 'image.onnx'))
if (!there) process.stderr.write('skipped: parity/arch is not below SIGHTLINE_TEST_DATA\n')

const base: Omit<QuantiseOptions, 'input' | 'output' | 'mode' | 'samples'> = {
  target: 'cpu',
  calibration: 'percentile',
  percentile: 99.999,
  minCosine: 0.99,
  reduceRange: false,
  conv: false,
  keepFloat: [],
  sampleCount: 12,
  searchMs: 60_000,
}

test.runIf(there).each(['dynamic', 'qdq'] as const)('CLIP image tower as exported by PyTorch, %s', mode =>
  withTempDir(async dir => {
    await writePictures(dir, 12)
    const settings = { size: 224, resize: 'crop', mean: [0.48, 0.46, 0.41], std: [0.27, 0.26, 0.28] } as const
    const report = await quantiseFile(
      {
        ...base,
        mode,
        input: join(arch, 'image.onnx'),
        output: join(dir, 'out.onnx'),
        samples: { pictures: { dir, settings } },
      },
      silent,
    )
    expect(report.agreement!.mean).toBeGreaterThan(0.999)
    expect(report.bytesAfter).toBeLessThan(report.bytesBefore * (mode === 'qdq' ? 0.3 : 0.55))
  }),
)

test.runIf(there)('CLIP text tower as exported by PyTorch, dynamic', async () => {
  const { model, dir } = await readModel(join(arch, 'text.onnx'))
  const index = new GraphIndex(model)
  const { layers } = surveyLayers(index)
  const changed = await quantiseDynamic({
    model,
    index,
    layers,
    weights: new WeightStore({ dir, reduceRange: false }),
  })
  const next = random(1)
  const ids = BigInt64Array.from({ length: 77 }, (_, at) =>
    at === 0 ? 49406n : at > 9 ? 49407n : BigInt(Math.floor(next() * 49000)),
  )
  const feeds = { input_ids: new ort.Tensor('int64', ids, [1, 77]) }
  expect(cosine(await output(model, feeds), await output(changed, feeds))).toBeGreaterThan(0.995)
})
