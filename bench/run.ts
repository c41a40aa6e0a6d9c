/**
 * `npm run bench [-- --quick] [--large] [--write] [--only encode,index]`: measures, prints Markdown, keeps JSON in
 * test-artifacts/bench.json. `--write` puts the tables into docs/benchmarks.md.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { isFault, messageOf } from '@sightline/core'
import { alternative } from './alternative.ts'
import { encode } from './encode.ts'
import { footprint } from './footprint.ts'
import { index } from './index/bench.ts'
import { ingest } from './ingest.ts'
import { describeMachine, load } from './machine.ts'
import type { Benchmark, BenchOptions, Section } from './measure.ts'
import { pipeline } from './pipeline.ts'
import { toMarkdown, writeBetweenMarks } from './report.ts'
import { rules } from './rules.ts'
import { vit } from './vit.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Above it, more than the shell that started this was at work. */
const IDLE_LOAD = 0.7
const BENCHMARKS: Readonly<Record<string, Benchmark>> = {
  encode,
  vit,
  alternative,
  pipeline,
  rules,
  ingest,
  index,
  footprint,
}

interface Measured {
  readonly name: string
  readonly seconds: number
  readonly loadBefore: number
  readonly section: Section
}

async function measure(name: string, size: Pick<BenchOptions, 'quick' | 'large'>): Promise<Measured> {
  const dir = mkdtempSync(join(tmpdir(), `sightline-bench-${name}-`))
  const loadBefore = load()
  const startMs = performance.now()
  try {
    const section = await BENCHMARKS[name]!({ ...size, dir })
    const seconds = (performance.now() - startMs) / 1000
    console.error(`${name}: ${seconds.toFixed(0)} s`)
    return { name, seconds, loadBefore, section }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean' },
      large: { type: 'boolean' },
      write: { type: 'boolean' },
      only: { type: 'string' },
    },
  })
  const names = values.only?.split(',') ?? Object.keys(BENCHMARKS)
  const unknown = names.filter(name => BENCHMARKS[name] === undefined)
  if (unknown.length > 0) return refuse(`unknown: ${unknown}; there are ${Object.keys(BENCHMARKS)}`)
  if (values.write && (values.only !== undefined || values.quick))
    return refuse(
      '--write takes a whole run: figures of several runs or of a smoke run do not belong together',
    )

  const machine = describeMachine()
  const date = new Date().toISOString().slice(0, 10)
  console.error(machine)
  const measured: Measured[] = []
  for (const name of names)
    measured.push(await measure(name, { quick: values.quick ?? false, large: values.large ?? false }))

  const seconds = measured.reduce((sum, each) => sum + each.seconds, 0)
  const idle = measured[0]!.loadBefore
  const header = [
    `Measured ${date}${values.quick ? ' (a smoke run)' : ''} in ${seconds.toFixed(0)} s on ${machine}. Load average of the minute before: ${idle.toFixed(2)}.`,
    ...(idle > IDLE_LOAD
      ? ['**Somebody else was using the machine: take these figures with care, run it again.**']
      : []),
  ]
  const text = toMarkdown(
    measured.map(each => each.section),
    header,
  )
  console.log(text)
  mkdirSync(join(ROOT, 'test-artifacts'), { recursive: true })
  const file = join(ROOT, 'test-artifacts/bench.json')
  writeFileSync(file, JSON.stringify({ date, machine, quick: values.quick ?? false, measured }, null, 2))
  if (values.write) writeBetweenMarks(join(ROOT, 'docs/benchmarks.md'), text)
}

function refuse(message: string): void {
  console.error(message)
  process.exitCode = 2
}

try {
  await main()
} catch (error) {
  console.error(isFault(error) ? `${error.code}: ${error.message}\n→ ${error.remedy}` : messageOf(error))
  if (!isFault(error) && error instanceof Error) console.error(error.stack)
  process.exitCode = 1
}
