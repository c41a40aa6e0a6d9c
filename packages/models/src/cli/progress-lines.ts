import { stderr } from 'node:process'
import type { Progress } from '../quantize/progress.ts'

const LINE_EVERY_MS = 10_000

/** One line that rewrites itself on a terminal; a line per phase and every ten seconds elsewhere. On stderr. */
export class ProgressLines implements Progress {
  private phase = ''
  private total = 0
  private lastLineMs = 0
  private readonly stream: NodeJS.WriteStream
  private readonly now: () => number

  constructor({ stream = stderr, now = Date.now }: { stream?: NodeJS.WriteStream; now?: () => number } = {}) {
    this.stream = stream
    this.now = now
  }

  start(phase: string, total: number): void {
    this.phase = phase
    this.total = total
    this.line(phase)
  }

  advance(done: number, note = ''): void {
    const text = `${this.phase} ${this.total > 0 ? `${done}/${this.total}` : done}${note ? `  ${note}` : ''}`
    if (this.stream.isTTY) this.stream.write(`\r\x1b[K${text.slice(0, this.stream.columns - 1)}`)
    else if (this.now() - this.lastLineMs >= LINE_EVERY_MS) this.line(text)
  }

  /** Stays on the screen, unlike a phase. */
  note(text: string): void {
    this.line(`${text}${this.stream.isTTY ? '\n' : ''}`)
  }

  /** Clears the rewritten line, so that what follows starts clean. */
  end(): void {
    if (this.stream.isTTY) this.stream.write('\r\x1b[K')
  }

  private line(text: string): void {
    this.lastLineMs = this.now()
    this.stream.write(this.stream.isTTY ? `\r\x1b[K${text}` : `${text}\n`)
  }
}
