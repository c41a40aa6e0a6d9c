import { createHash } from 'node:crypto'
import { rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspectModel } from '@sightline/models/inspect/onnx-info.js'
import { verifyModel } from '@sightline/models/inspect/verify.js'
import { encodeModel } from '@sightline/models/onnx/proto.js'
import { expect, test } from 'vitest'
import { attentionNet, residualNet } from '../support/graphs.ts'
import { writeModelDir } from '../support/model-dir.ts'
import { codeOf, withTempDir } from '../support/run.ts'

test('a complete model directory verifies', () =>
  withTempDir(async dir => {
    await writeModelDir(dir)
    const report = await verifyModel(dir)
    expect(report).toMatchObject({ ok: true, name: 'tiny', version: '1' })
    expect(report.fingerprint).toMatch(/^tiny:[0-9a-f]{12}$/)
    expect(report.files.map(({ path }) => path)).toEqual([
      'image.onnx',
      'text.onnx',
      'tokenizer.json',
      'tokenizer_config.json',
    ])
  }))

test('every bad file is named, not only the first', () =>
  withTempDir(async dir => {
    await writeModelDir(dir)
    await rm(join(dir, 'text.onnx'))
    await truncate(join(dir, 'image.onnx'), 100)
    const tokenizer = join(dir, 'tokenizer.json')
    await writeFile(tokenizer, '{"changed":""}'.padEnd(2))
    const { ok, files } = await verifyModel(dir)
    expect(ok).toBe(false)
    expect(files.map(({ problem }) => problem !== null)).toEqual([true, true, true, false])
  }))

test('a flipped bit is found', () =>
  withTempDir(async dir => {
    await writeModelDir(dir)
    const bytes = encodeModel(residualNet())
    bytes[500]! ^= 1
    await writeFile(join(dir, 'image.onnx'), bytes)
    const { files } = await verifyModel(dir)
    expect(files[0]!.problem).toContain(createHash('sha256').update(bytes).digest('hex'))
  }))

test('without a manifest, or with a faulty one, there is nothing to compare', () =>
  withTempDir(async dir => {
    expect(await codeOf(() => verifyModel(dir))).toBe('MODEL_MISSING')
    await writeFile(join(dir, 'manifest.json'), '{"schema":1}')
    expect(await codeOf(() => verifyModel(dir))).toBe('MODEL_INVALID')
  }))

test('an ONNX file is described without being run', () =>
  withTempDir(async dir => {
    const path = join(dir, 'text.onnx')
    await writeFile(path, encodeModel(attentionNet()))
    const info = await inspectModel(path)
    expect(info).toMatchObject({
      opsets: { 'ai.onnx': 17 },
      inputs: ['input_ids int64 [batch, sequence]'],
      outputs: ['states float32 [...]'],
      operators: { MatMul: 6, Add: 5 },
      weightBytes: { float32: (200 * 32 + 64 + 4 * (32 * 32 + 32)) * 4 },
    })
    expect(await codeOf(() => inspectModel(join(dir, 'gone.onnx')))).toBe('QUANTISE_NOT_ONNX')
  }))
