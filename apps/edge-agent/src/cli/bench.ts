import { cpus } from 'node:os'
import { resolve } from 'node:path'
import { fault } from '@sightline/core'
import { type Candidate, type Measurement, measure } from '@sightline/core/clip/benchmark.js'
import { readManifest, verifyFiles } from '@sightline/core/clip/model-files.js'
import { modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { unavailable } from '@sightline/core/clip/provider-choice.js'
import { candidatesIn } from '@sightline/core/clip/provider-rating.js'
import { PROVIDERS, probeProviders, runtimeVersion } from '@sightline/core/clip/providers.js'
import { defaultThreads } from '@sightline/core/clip/session.js'
import { imageFiles } from '@sightline/core/clip/variants.js'
import { Command } from 'commander'
import { nodeShare } from '../doctor/model.ts'
import { EMBEDDED_MODEL, modelCacheDir } from '../model-dir.ts'
import type { CommandContext } from './field-commands.ts'
import { table } from './terminal.ts'

interface BenchFlags {
  readonly config?: string
  readonly seconds: string
  readonly json?: boolean
}

interface Row {
  readonly measured: Measurement
  readonly batch: number
}

const BATCHES = [1, 4, 8, 16]
/** Opening a session and the first run, on top of what is timed. */
const OVERHEAD_MS = 1500

/** `bench`: what this device can do, in under a minute. */
export function benchCommand(context: CommandContext): Command {
  return new Command('bench')
    .description('frames per second by provider, batch and precision on this device')
    .option('-c, --config <file>', 'YAML settings (docs/configuration.md)')
    .option('-s, --seconds <number>', 'time for the whole run', '40')
    .option('--json', 'print one JSON document instead of a table')
    .action((flags: BenchFlags) => bench(flags, context))
}

async function bench(flags: BenchFlags, { readSettings }: CommandContext): Promise<void> {
  const seconds = Number(flags.seconds)
  if (!(seconds >= 1 && seconds <= 3600)) throw fault('CONFIG_INVALID', '--seconds must be from 1 to 3600')
  const { model, dataDir } = (await readSettings(flags.config)).settings
  const dir = model.dir ?? EMBEDDED_MODEL
  const threads = model.threads > 0 ? model.threads : defaultThreads()
  const manifest = await readManifest(dir)
  progress('looking for execution providers')
  const wanted = model.provider === 'auto' ? PROVIDERS : [model.provider]
  const reports = await probeProviders({ providers: wanted, thorough: true })
  const available = reports.filter(report => report.available).map(({ provider }) => provider)
  for (const { provider, reason } of reports.filter(report => !report.available))
    progress(`no ${provider}: ${reason}`)
  if (available.length === 0) throw unavailable(reports[0]!)

  const candidates = await candidatesIn(dir, manifest, available)
  const used = new Set(candidates.map(({ file }) => file))
  const files = imageFiles(manifest).map(({ file }) => file)
  await verifyFiles(
    dir,
    files.filter(({ path }) => used.has(path)),
    { cacheDir: modelCacheDir(resolve(dataDir)) },
  )
  const cells = candidates.flatMap(candidate => BATCHES.map(batch => ({ candidate, batch })))
  const measureMs = Math.max(300, (seconds * 1000) / cells.length - OVERHEAD_MS)
  const rows: Row[] = []
  for (const [i, { candidate, batch }] of cells.entries()) {
    const measured = await measure(candidate, { dir, manifest, threads, batch, measureMs })
    const result = measured.ok ? `${measured.imagesPerSecond.toFixed(1)} frames/s` : measured.reason
    progress(
      `${i + 1}/${cells.length}  ${candidate.provider} ${precisionOf(candidate)} batch ${batch}: ${result}`,
    )
    rows.push({ measured, batch })
  }
  const device = { processor: cpus()[0]?.model.trim() ?? 'unknown', cores: cpus().length, threads }
  const fingerprint = modelFingerprint(manifest)
  const head = { model: fingerprint, ...device, onnxRuntime: runtimeVersion(), node: process.version }
  if (flags.json) console.log(JSON.stringify({ ...head, results: rows.map(plainRow) }, null, 2))
  else {
    const machine = `${device.processor} · ${device.cores} cores, ${threads} used · ONNX Runtime ${head.onnxRuntime}`
    console.log(`\n${fingerprint} · ${machine}\n`)
    console.log(
      table([TITLES, ...rows.map(cellsOf)], [false, false, true, true, true, true, false]).join('\n'),
    )
    console.log('\nThe image tower alone; sightline-agent doctor times the whole way from JPEG to vector.')
  }
  if (rows.every(({ measured }) => !measured.ok)) process.exitCode = 1
}

const TITLES = ['provider', 'precision', 'batch', 'frames/s', 'ms/frame', 'ready after', 'on the provider']

function cellsOf({ measured, batch }: Row): string[] {
  const { candidate } = measured
  const { provider } = candidate
  const head = [provider, precisionOf(candidate), String(batch)]
  if (!measured.ok) return [...head, '-', '-', '-', measured.reason]
  const { imagesPerSecond, msPerImage, readyMs, nodes } = measured
  const figures = [imagesPerSecond.toFixed(1), msPerImage.toFixed(1), `${(readyMs / 1000).toFixed(1)} s`]
  return [...head, ...figures, nodeShare(provider, nodes)]
}

/** With the kind of int8 where a model has more than one. */
function precisionOf({ precision, variant }: Candidate): string {
  return variant === undefined || variant === precision ? precision : `${precision} ${variant}`
}

function plainRow({ measured, batch }: Row): Record<string, unknown> {
  const { provider, precision, file } = measured.candidate
  if (!measured.ok) return { provider, precision, file, batch, error: measured.reason }
  const { imagesPerSecond, msPerImage, readyMs, nodes } = measured
  return {
    provider,
    precision,
    file,
    batch,
    framesPerSecond: imagesPerSecond,
    msPerFrame: msPerImage,
    readyMs,
    nodes,
  }
}

/** On stderr, so that the table or the JSON can go into a file. */
function progress(line: string): void {
  console.error(`  ${line}`)
}
