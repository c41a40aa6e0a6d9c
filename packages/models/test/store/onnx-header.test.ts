import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { decodeModel } from '@sightline/models/onnx/proto.js'
import { readOnnxHeader } from '@sightline/models/store/onnx-header.js'
import { imageTower, textTower } from '@sightline/models/store/towers.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bothOnnx, externalOnnx, imageOnnx } from './tiny-models.ts'

const MINI = fileURLToPath(new URL('../../../../models/quantized/sightline-mini/', import.meta.url))

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-header-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function headerOf(bytes: Buffer) {
  const path = join(dir, 'model.onnx')
  await writeFile(path, bytes)
  return readOnnxHeader(path)
}

describe('the header of an ONNX file', () => {
  it('tells the towers of real files without reading their weights', () => {
    const image = readOnnxHeader(join(MINI, 'image.onnx'))
    expect(image).toMatchObject({ precision: 'int8', externalFiles: [] })
    expect(imageTower(image, {}, 'image')).toMatchObject({
      input: 'pixel_values',
      output: 'image_embeds',
      others: [],
    })
    expect(textTower(readOnnxHeader(join(MINI, 'text.onnx')), {}, 'text')).toMatchObject({
      inputIds: 'input_ids',
      attentionMask: 'attention_mask',
      output: 'text_embeds',
      others: [],
    })
  })

  it('keeps the towers of one file apart, and says what each leaves over', async () => {
    const header = await headerOf(bothOnnx())
    expect(header.outputs.map(({ name }) => name)).toEqual(['image_embeds', 'text_embeds', 'logits_per_text'])
    expect(imageTower(header, {}, 'both')).toMatchObject({ others: ['input_ids', 'attention_mask'] })
    expect(textTower(header, {}, 'both')).toMatchObject({ output: 'text_embeds', others: ['pixel_values'] })
  })

  it('names weight files', async () => {
    expect(await headerOf(externalOnnx('a/b.bin').onnx)).toMatchObject({ externalFiles: ['a/b.bin'] })
  })

  it('wants tensors that were named to exist', async () => {
    const header = await headerOf(imageOnnx())
    expect(() => imageTower(header, { output: 'pooled' }, 'x.onnx')).toThrow(
      /x\.onnx has no pooled; it has image_embeds/,
    )
    expect(() => textTower(header, {}, 'x.onnx')).toThrow(expect.objectContaining({ code: 'MODEL_INVALID' }))
  })

  it('refuses other bytes, cut and altered files with a code, and never hangs', async () => {
    const whole = bothOnnx().subarray(0, 3000)
    const cases: Buffer[] = [Buffer.alloc(0), Buffer.alloc(4096, 0xff), Buffer.from('<!doctype html>'), whole]
    for (let cut = 1; cut < 400; cut += 7) cases.push(whole.subarray(0, cut))
    for (let at = 0; at < 400; at += 5) {
      const altered = Buffer.from(imageOnnx())
      altered[at % altered.length]! ^= 0x55
      cases.push(altered)
    }
    for (const bytes of cases) {
      try {
        await headerOf(bytes)
      } catch (error) {
        expect(error).toMatchObject({ code: 'MODEL_INVALID' })
      }
    }
    expect(() => readOnnxHeader(join(dir, 'missing.onnx'))).toThrow(
      expect.objectContaining({ code: 'MODEL_MISSING' }),
    )
    expect(decodeModel(imageOnnx()).graph?.node).toHaveLength(2)
  })
})
