import type { Finding, Mark } from './finding.ts'

const SIGNS: Readonly<Record<Mark, string>> = { ok: '✓', warn: '!', fail: '✗', info: '·' }
/** SGR colours: green, yellow, red, grey. */
const COLOURS: Readonly<Record<Mark, string>> = { ok: '32', warn: '33', fail: '31', info: '90' }
const NAME_WIDTH = 12

export interface RenderOptions {
  readonly colour: boolean
  /** Columns of the terminal. */
  readonly width: number
}

/** Lines of one finding; its group's title first when `previous` was of another. */
export function renderFinding(
  finding: Finding,
  previous: Finding | undefined,
  options: RenderOptions,
): string[] {
  const { group, name, mark, text, advice } = finding
  const paint = painter(options.colour)
  const title = previous?.group === group ? [] : ['', paint('1', group)]
  const label = name.padEnd(NAME_WIDTH)
  const indent = ' '.repeat(6 + Math.max(NAME_WIDTH, name.length))
  const room = Math.max(30, options.width - indent.length)
  const [first = '', ...rest] = wrap(text, room)
  const shown = advice !== undefined && mark !== 'ok' ? wrap(`→ ${advice}`, room) : []
  return [
    ...title,
    `  ${paint(COLOURS[mark], SIGNS[mark])} ${label}  ${first}`,
    ...rest.map(line => indent + line),
    ...shown.map(line => indent + paint('2', line)),
  ]
}

/** The last line: what is to be done. */
export function renderSummary(findings: readonly Finding[], options: RenderOptions): string {
  const paint = painter(options.colour)
  const names = (mark: Mark) => findings.filter(finding => finding.mark === mark).map(({ name }) => name)
  const [failed, warned] = [names('fail'), names('warn')]
  if (failed.length > 0) return paint('31', `✗ Not ready: ${failed.join(', ')}.`)
  if (warned.length > 0) return paint('33', `! Ready, but look at: ${warned.join(', ')}.`)
  return paint('32', '✓ Everything asked for is there.')
}

function painter(colour: boolean) {
  return (code: string, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)
}

/** Breaks at spaces; a longer word stands alone and may stick out. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width)
      lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
