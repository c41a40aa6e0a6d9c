import { execFile } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { QuantiseReport } from '@sightline/models/quantize/report.js'
import { expect, test } from 'vitest'
import { writeModelDir } from '../support/model-dir.ts'
import { writePictures } from '../support/pictures.ts'
import { withTempDir } from '../support/run.ts'

const main = join(dirname(fileURLToPath(import.meta.url)), '../../dist/main.js')
const run = promisify(execFile)

async function cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  try {
    return { code: 0, ...(await run(process.execPath, [main, ...args])) }
  } catch (error) {
    const failed = error as { code: number; stdout: string; stderr: string }
    return { code: failed.code, stdout: failed.stdout, stderr: failed.stderr }
  }
}

test('quantize with a model directory: preprocessing and tokenizer come from its manifest', () =>
  withTempDir(async dir => {
    await writeModelDir(dir)
    const pictures = join(dir, 'pictures')
    await mkdir(pictures)
    await writePictures(pictures, 12)
    const image = await cli(
      ...['quantize', join(dir, 'image.onnx'), '-o', join(dir, 'image.int8.onnx'), '--mode', 'qdq'],
      ...['--calibrate', pictures, '--model-dir', dir, '--min-cosine', '0.9', '--json'],
    )
    expect(image.code, image.stderr).toBe(0)
    const report = JSON.parse(image.stdout) as QuantiseReport
    expect(report).toMatchObject({
      mode: 'qdq',
      layersQuantised: 5,
      samples: { calibration: 9, measuring: 3 },
    })
    // Progress is on stderr, in plain lines where there is no terminal.
    expect(image.stderr).toContain('calibrate')
    expect(image.stderr).not.toContain('\r')

    const texts = join(dir, 'texts.txt')
    await writeFile(
      texts,
      'a dog\na cat\n\na dog sees a cat\nnothing at all\na very long line about dogs and cats\n',
    )
    const text = await cli(
      ...[
        'quantize',
        join(dir, 'text.onnx'),
        '-o',
        join(dir, 'text.int8.onnx'),
        '--texts',
        texts,
        '--model-dir',
        dir,
      ],
      ...['--min-cosine', '0.95'],
    )
    expect(text.code, text.stderr).toBe(0)
    expect(text.stdout).toMatch(/cosine {5}mean 0\.9\d+/)
  }))

test('a fault ends with its code, what to do, and exit code 1', () =>
  withTempDir(async dir => {
    const path = join(dir, 'x.onnx')
    await writeFile(path, 'not a model')
    const { code, stdout, stderr } = await cli('quantize', path, '-o', join(dir, 'y.onnx'))
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^QUANTISE_NOT_ONNX: .*\n→ Name a readable ONNX file/)
  }))

test('wrong flags are refused by name', async () => {
  for (const [flag, value] of [
    ['--mode', 'magic'],
    ['--samples', '0'],
    ['--mean', '1,2'],
    ['--min-cosine', 'high'],
  ] as const) {
    const { code, stderr } = await cli('quantize', 'a.onnx', '-o', 'b.onnx', flag, value)
    expect(code).toBe(1)
    expect(stderr).toContain(flag)
  }
})

test('verify and info', () =>
  withTempDir(async dir => {
    await writeModelDir(dir)
    const good = await cli('verify', dir)
    expect(good).toMatchObject({ code: 0 })
    expect(good.stdout).toMatch(/^ok {3}text\.onnx {14}\d+\.\d kB$/m)
    const info = await cli('info', dir)
    expect(info.stdout).toContain('Tiny towers')
    expect(info.stdout).toContain('pixel_values float32 [batch, 3, 16, 16]')
    expect(JSON.parse((await cli('info', join(dir, 'text.onnx'), '--json')).stdout)).toMatchObject({
      irVersion: 8,
    })
    await rm(join(dir, 'text.onnx'))
    const bad = await cli('verify', dir, '--json')
    expect(bad.code).toBe(1)
    expect(JSON.parse(bad.stdout)).toMatchObject({ ok: false })
    expect(bad.stderr).toContain('MODEL_FILE_CORRUPT')
  }))
