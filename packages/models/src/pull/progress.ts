import { megabytes } from './free-space.ts'

/** What a pull tells while it works. */
export interface PullProgress {
  /** A file begins, or goes on after `doneBytes`; `totalBytes` is undefined when nobody knows. */
  file(path: string, doneBytes: number, totalBytes: number | undefined): void
  bytes(doneBytes: number): void
  note(text: string): void
  end(): void
}

export const silentProgress: PullProgress = {
  file: () => undefined,
  bytes: () => undefined,
  note: () => undefined,
  end: () => undefined,
}

const BAR_CHARS = 24
const REDRAW_MS = 100
const LINE_EVERY_MS = 10_000

/** The part of a terminal or log stream that is used. */
export interface ProgressStream {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** A bar that rewrites itself on a terminal; elsewhere a line per file and every ten seconds. */
export class PullLines implements PullProgress {
  readonly #stream: ProgressStream
  readonly #now: () => number
  #path = ''
  #total: number | undefined
  #fromBytes = 0
  #startedMs = 0
  #drawnMs = 0

  constructor(stream: ProgressStream, now: () => number = Date.now) {
    this.#stream = stream
    this.#now = now
  }

  file(path: string, doneBytes: number, totalBytes: number | undefined): void {
    this.#path = path
    this.#total = totalBytes
    this.#fromBytes = doneBytes
    this.#startedMs = this.#now()
    this.#drawnMs = this.#startedMs
    const size = totalBytes === undefined ? 'size unknown' : megabytes(totalBytes)
    if (!this.#stream.isTTY)
      this.#line(`${path}: ${size}${doneBytes > 0 ? `, resuming at ${megabytes(doneBytes)}` : ''}`)
  }

  bytes(doneBytes: number): void {
    const now = this.#now()
    const complete = doneBytes === this.#total
    if (!complete && now - this.#drawnMs < (this.#stream.isTTY ? REDRAW_MS : LINE_EVERY_MS)) return
    this.#drawnMs = now
    const perSecond = ((doneBytes - this.#fromBytes) * 1000) / Math.max(1, now - this.#startedMs)
    const share = this.#total ? doneBytes / this.#total : undefined
    const left =
      share === undefined || perSecond === 0
        ? ''
        : `  ${Math.ceil((this.#total! - doneBytes) / perSecond)} s left`
    const amount = `${megabytes(doneBytes)}${this.#total === undefined ? '' : ` of ${megabytes(this.#total)}`}`
    const text = `${this.#path}  ${amount}  ${megabytes(perSecond)}/s${complete ? '' : left}`
    if (!this.#stream.isTTY) {
      // What is there within a moment was announced a moment ago.
      if (!complete || now - this.#startedMs >= LINE_EVERY_MS) this.#line(text)
      return
    }
    const filled = Math.round((share ?? 0) * BAR_CHARS)
    const bar = share === undefined ? '' : `[${'#'.repeat(filled)}${'.'.repeat(BAR_CHARS - filled)}] `
    this.#stream.write(
      `\r\x1b[K${`${bar}${text}`.slice(0, (this.#stream.columns ?? 80) - 1)}${complete ? '\n' : ''}`,
    )
  }

  note(text: string): void {
    this.end()
    this.#line(text)
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K')
  }

  #line(text: string): void {
    this.#stream.write(`${text}\n`)
  }
}
