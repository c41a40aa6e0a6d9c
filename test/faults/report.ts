import { pathToFileURL } from 'node:url'
import { faultText } from '@sightline/core'
import type { LedgerRow } from '../support/delivery-audit.ts'

export type Scenario = (options: { readonly long: boolean }) => Promise<LedgerRow[]>

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
    const rows = await scenario({ long: process.argv.includes('--long') })
    console.log(table(rows))
    process.exit(rows.some(row => breach(row) !== undefined) ? 1 : 0)
  } catch (error) {
    console.error(faultText(error))
    process.exit(1)
  }
}
