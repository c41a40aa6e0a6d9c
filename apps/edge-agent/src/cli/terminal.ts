import type { RenderOptions } from '../doctor/render.ts'

/** Colours and width as the terminal has them (NO_COLOR included); plain and wide into a file. */
export function renderOptions(): RenderOptions {
  const { stdout } = process
  return stdout.isTTY ? { colour: stdout.hasColors(), width: stdout.columns } : { colour: false, width: 120 }
}

/** Columns as wide as their longest cell; numbers to the right. */
export function table(rows: readonly (readonly string[])[], right: readonly boolean[]): string[] {
  const widths = right.map((_, i) => Math.max(...rows.map(row => row[i]!.length)))
  return rows.map(row =>
    row
      .map((cell, i) => (right[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join('  ')
      .trimEnd(),
  )
}
