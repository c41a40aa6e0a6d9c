import { readdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readFloats } from '@sightline/models/onnx/external-data.js'
import { readModel, writeModel } from '@sightline/models/onnx/model-file.js'
import { encodeModel, type TensorProto } from '@sightline/models/onnx/proto.js'
import { inlineFloats } from '@sightline/models/onnx/tensor.js'
import ort from 'onnxruntime-node'
import { expect, test } from 'vitest'
import { residualNet } from '../support/graphs.ts'
import { codeOf, output, pictureFeeds, withTempDir } from '../support/run.ts'

const external = (location: string): TensorProto => ({
  name: 'w',
  dims: [4],
  dataType: 1,
  dataLocation: 1,
  externalData: [{ key: 'location', value: location }],
})

test('weights move to a side file and back, aligned, and ONNX Runtime reads them', () =>
  withTempDir(async dir => {
    const model = residualNet()
    const path = join(dir, 'out.onnx')
    const bytes = await writeModel({ model, dir }, path, { external: true })
    expect((await readdir(dir)).sort()).toEqual(['out.onnx', 'out.onnx.data'])
    expect(bytes).toBe((await stat(path)).size + (await stat(`${path}.data`)).size)

    const loaded = await readModel(path)
    expect(loaded.bytes).toBe(bytes)
    const moved = loaded.model.graph!.initializer!.filter(tensor => tensor.dataLocation === 1)
    // Biases of 64 bytes stay inside.
    expect(moved.map(({ name }) => name)).toEqual(['w0', 'w1', 'w2', 'w3', 'w4'])
    for (const tensor of moved) {
      const offset = Number(tensor.externalData!.find(({ key }) => key === 'offset')!.value)
      expect(offset % 4096).toBe(0)
      const original = model.graph!.initializer!.find(({ name }) => name === tensor.name)!
      expect(await readFloats(tensor, dir)).toEqual(inlineFloats(original))
    }

    const feeds = pictureFeeds(1)
    const want = await output(model, feeds)
    const session = await ort.InferenceSession.create(path)
    expect((await session.run(feeds)).embedding!.data).toEqual(want)
    await session.release()
    // From memory, with the folder told apart.
    expect(await output(loaded.model, feeds, dir)).toEqual(want)

    const again = join(dir, 'again.onnx')
    await writeModel(loaded, again, { external: false })
    expect(await output((await readModel(again)).model, feeds)).toEqual(want)
  }))

test('a side file is copied from another side file', () =>
  withTempDir(async dir => {
    const model = residualNet()
    await writeModel({ model, dir }, join(dir, 'a.onnx'), { external: true })
    await writeModel(await readModel(join(dir, 'a.onnx')), join(dir, 'b.onnx'), { external: true })
    const loaded = await readModel(join(dir, 'b.onnx'))
    expect(await output(loaded.model, pictureFeeds(2), dir)).toEqual(await output(model, pictureFeeds(2)))
  }))

test.each(['/etc/passwd', '../secret.bin', 'a/../../secret.bin', ''])(
  'a location of "%s" is refused',
  async location => {
    expect(await codeOf(() => readFloats(external(location), '/tmp'))).toBe('QUANTISE_EXTERNAL_DATA')
  },
)

test('a missing and a short side file are told', () =>
  withTempDir(async dir => {
    expect(await codeOf(() => readFloats(external('gone.bin'), dir))).toBe('QUANTISE_EXTERNAL_DATA')
    await writeFile(join(dir, 'short.bin'), Buffer.alloc(10))
    expect(await codeOf(() => readFloats(external('short.bin'), dir))).toBe('QUANTISE_EXTERNAL_DATA')
    const path = join(dir, 'm.onnx')
    await writeModel({ model: residualNet(), dir }, path, { external: true })
    await truncate(`${path}.data`, 100)
    const { model } = await readModel(path)
    const tensor = model.graph!.initializer!.find(({ name }) => name === 'w4')!
    expect(await codeOf(() => readFloats(tensor, dir))).toBe('QUANTISE_EXTERNAL_DATA')
  }))

test('an output that cannot be written leaves nothing behind', () =>
  withTempDir(async dir => {
    const path = join(dir, 'no', 'such', 'folder.onnx')
    expect(await codeOf(() => writeModel({ model: residualNet(), dir }, path))).toBe('QUANTISE_OUTPUT')
    await writeFile(join(dir, 'occupied'), encodeModel(residualNet()))
    expect(
      await codeOf(() => writeModel({ model: residualNet(), dir }, join(dir, 'occupied', 'x.onnx'))),
    ).toBe('QUANTISE_OUTPUT')
    expect(await readdir(dir)).toEqual(['occupied'])
  }))
