/** Start and end of a line, counted from 1, as positions in the text; of one that is not there, the end. */
export function lineRange(text: string, line: number): readonly [number, number] {
  let start = 0
  for (let at = 1; at < line; at++) {
    const end = text.indexOf('\n', start)
    if (end < 0) return [text.length, text.length]
    start = end + 1
  }
  const end = text.indexOf('\n', start)
  return [start, end < 0 ? text.length : end]
}

/** The line that a message such as "… at line 3, column 5" names. */
export function lineOf(message: string): number | undefined {
  const line = /\bat line (\d+)/.exec(message)?.[1]
  return line === undefined ? undefined : Number(line)
}
