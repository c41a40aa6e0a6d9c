import { readFileSync, writeFileSync } from 'node:fs'
import { fault } from '@sightline/core'
import type { Comparison, Figure, Section } from './measure.ts'

const BEGIN = '<!-- measured: begin (npm run bench -- --write) -->'
const END = '<!-- measured: end -->'

/** @param header lines about the machine and the run */
export function toMarkdown(sections: readonly Section[], header: readonly string[]): string {
  return [...header.map(line => `${line}\n`), ...sections.map(sectionText)].join('\n')
}

function sectionText({ title, comparisons, figures, notes }: Section): string {
  const parts = [`### ${title}\n`]
  if (comparisons.length > 0) {
    parts.push(
      table(
        ['what', 'Sightline', 'beside it', '', 'ratio (middle half)', 'target'],
        comparisons.map(comparisonCells),
      ),
    )
  }
  if (figures.length > 0) parts.push(table(['what', 'measured', 'target'], figures.map(figureCells)))
  if (notes.length > 0) parts.push(`${notes.map(note => `- ${note}`).join('\n')}\n`)
  return parts.join('\n')
}

function comparisonCells({ what, unit, ours, theirs, beside, ratio, spread, target }: Comparison): string[] {
  const [low, high] = spread.map(number)
  return [
    what,
    `${number(ours)} ${unit}`,
    beside,
    `${number(theirs)} ${unit}`,
    `**${number(ratio)}** (${low} to ${high})`,
    target ?? '',
  ]
}

function figureCells({ what, value, target }: Figure): string[] {
  return [what, value, target ?? '']
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return `${[line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')}\n`
}

/** Three significant digits, no more than that is known. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return 'not measured'
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toFixed(Math.min(digits, 4))
}

/** Puts the measured part between its two marks and leaves everything else alone. */
export function writeBetweenMarks(path: string, text: string): void {
  const page = readFileSync(path, 'utf8')
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw fault('INTERNAL', `${path} lacks the marks ${BEGIN} and ${END}`)
  writeFileSync(path, `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n${page.slice(end)}`)
}
