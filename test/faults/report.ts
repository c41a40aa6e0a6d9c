import { pathToFileURL } from 'node:url'
import { faultText } from '@sightline/core'
import type { LedgerRow } from '../support/delivery-audit.ts'

/** How far a scenario has come, in words. */
export type Progress = (text: string) => void

export interface ScenarioOptions {
  readonly long: boolean
  readonly progress?: Progress
}

export type Scenario = (options: ScenarioOptions) => Promise<LedgerRow[]>

/** Lines on stderr with the time since the scenario began; the ledger alone goes to stdout. */
export function progressOf(name: string): Progress {
  const startedMs = performance.now()
  return text => {
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    process.stderr.write(`[${seconds.padStart(7)} s] ${name}: ${text}\n`)
  }
}

/** What makes a row a failure; undefined when it is clean. */
export function breach(row: LedgerRow): string | undefined {
  if (row.lost > 0) return `${row.lost} acknowledged records are lost`
  if (row.acknowledged > row.stored) return 'more is acknowledged than stored'
  if (row.duplicates > 0) return `${row.duplicates} records are there twice`
  return undefined
}

export function table(rows: readonly LedgerRow[]): string {
  const columns = ['scenario', 'sent', 'acknowledged', 'stored', 'duplicates', 'lost', 'notes'] as const
  const cells = rows.map(row => columns.map(column => String(row[column] ?? '')))
  const widths = columns.map((name, i) => Math.max(name.length, ...cells.map(cell => cell[i]!.length)))
  const line = (texts: readonly string[]) =>
    texts
      .map((text, i) =>
        i === 0 || i === columns.length - 1 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!),
      )
      .join('  ')
      .trimEnd()
  return [line(columns), ...cells.map(line)].join('\n')
}

/** Runs the scenario when its file is the script that was started, and ends with 1 when its ledger is not clean. */
export async function runAsScript(moduleUrl: string, scenario: Scenario): Promise<void> {
  const script = process.argv[1]
  if (script === undefined || pathToFileURL(script).href !== moduleUrl) return
  try {
    const rows = await scenario({
      long: process.argv.includes('--long'),
      progress: progressOf(scenario.name),
    })
    console.log(table(rows))
    process.exit(rows.some(row => breach(row) !== undefined) ? 1 : 0)
  } catch (error) {
    console.error(faultText(error))
    process.exit(1)
  }
}
