import { join } from 'node:path'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { type ModelManifest, modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { fault } from '@sightline/core/errors.js'
import { Command } from 'commander'
import { inspectModel, type ModelInfo } from '../inspect/onnx-info.ts'
import { verifyModel } from '../inspect/verify.ts'
import { megabytes } from '../pull/free-space.ts'
import { towersOf } from '../store/model-store.ts'

interface JsonFlag {
  readonly json: boolean
}

/** `sightline-models verify DIR`: fails with MODEL_FILE_CORRUPT when any file differs. */
export function verifyCommand(): Command {
  return new Command('verify')
    .description('compare every file of a model directory with its manifest')
    .argument('<dir>', 'model directory')
    .option('--json', 'print the result as JSON', false)
    .action(async (dir: string, { json }: JsonFlag) => {
      const report = await verifyModel(dir)
      if (json) console.log(JSON.stringify(report, null, 2))
      else {
        console.log(`${report.name} ${report.version}  ${report.fingerprint}`)
        const width = Math.max(...report.files.map(({ path }) => path.length))
        for (const { path, bytes, problem } of report.files)
          console.log(
            `${problem === null ? 'ok ' : 'BAD'}  ${path.padEnd(width)}  ${problem ?? megabytes(bytes)}`,
          )
      }
      const bad = report.files.filter(({ problem }) => problem !== null)
      if (bad.length === 0) return
      const names = bad.map(({ path }) => path).join(', ')
      throw fault('MODEL_FILE_CORRUPT', `${bad.length} of ${report.files.length} files: ${names}`)
    })
}

/** `sightline-models info DIR|FILE`. */
export function infoCommand(): Command {
  return new Command('info')
    .description('describe a model directory or one ONNX file')
    .argument('<path>', 'model directory or .onnx file')
    .option('--json', 'print the result as JSON', false)
    .action(async (path: string, { json }: JsonFlag) => {
      if (path.endsWith('.onnx')) {
        const info = await inspectModel(path)
        console.log(json ? JSON.stringify(info, null, 2) : onnxText(info))
        return
      }
      const manifest = await readManifest(path)
      const towers = await Promise.all(towersOf(manifest).map(file => inspectModel(join(path, file))))
      const fingerprint = modelFingerprint(manifest)
      if (json) console.log(JSON.stringify({ fingerprint, manifest, towers }, null, 2))
      else console.log([manifestText(manifest, fingerprint), ...towers.map(onnxText)].join('\n\n'))
    })
}

function mapValues<T, U>(record: Readonly<Record<string, T>>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}

function manifestText(manifest: ModelManifest, fingerprint: string): string {
  const { image, text } = manifest
  const quality = manifest.quality.map(
    ({ dataset, metric, value }) => `quality      ${dataset}: ${figure(metric, value)}`,
  )
  return [
    `${manifest.title}  (${manifest.name} ${manifest.version})`,
    `fingerprint  ${fingerprint}`,
    `vectors      ${manifest.dim} values, logit scale ${manifest.logitScale}`,
    `picture      ${image.size} x ${image.size}, ${image.resize}, ${image.precision}`,
    ...(image.variants ? [`variants     ${Object.keys(image.variants).join(', ')}`] : []),
    `text         up to ${text.contextLength} tokens, ${text.precision}`,
    `licence      ${manifest.license.spdx}: ${manifest.license.notice}`,
    ...quality,
  ].join('\n')
}

/** `text to image R@1, %` and 25 read as "text to image R@1 25.0 %". */
function figure(metric: string, value: number): string {
  const share = metric.endsWith(', %')
  return share ? `${metric.slice(0, -3)} ${value.toFixed(1)} %` : `${metric} ${value}`
}

function onnxText(info: ModelInfo): string {
  const list = (entries: Readonly<Record<string, number | string>>) =>
    Object.entries(entries)
      .map(([name, value]) => `${name} ${value}`)
      .join(', ')
  return [
    `${info.path}  ${megabytes(info.bytes)}`,
    `format       IR ${info.irVersion}, opset ${list(info.opsets)}${info.producer ? `, by ${info.producer}` : ''}`,
    ...info.inputs.map(input => `input        ${input}`),
    ...info.outputs.map(output => `output       ${output}`),
    `operators    ${list(info.operators)}`,
    `weights      ${list(mapValues(info.weightBytes, megabytes))}`,
    ...(Object.keys(info.metadata).length > 0 ? [`metadata     ${list(info.metadata)}`] : []),
  ].join('\n')
}
