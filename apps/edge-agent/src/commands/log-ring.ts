import { redactText } from '@sightline/core'

const MAX_BYTES = 1024 * 1024
const MAX_LINE_CHARS = 8192

/** Passes log lines on and keeps the newest of them in memory, so that a hub can ask for them. */
export class LogRing {
  readonly #next: { write(line: string): unknown }
  #lines: string[] = []
  #bytes = 0

  constructor(next: { write(line: string): unknown }) {
    this.#next = next
  }

  write(line: string): void {
    this.#next.write(line)
    const kept = line.trimEnd().slice(0, MAX_LINE_CHARS)
    this.#lines.push(kept)
    this.#bytes += kept.length
    if (this.#bytes <= MAX_BYTES) return
    // Half at once, so that a full ring does not move all its lines for every new one.
    let drop = 0
    while (this.#bytes > MAX_BYTES / 2) this.#bytes -= this.#lines[drop++]!.length
    this.#lines = this.#lines.slice(drop)
  }

  /** The newest lines, oldest first, without credentials, at most `maxBytes` as JSON. */
  tail(count: number, maxBytes: number): string[] {
    const found: string[] = []
    let bytes = 2
    for (let i = this.#lines.length - 1; i >= 0 && found.length < count; i--) {
      const line = redactText(this.#lines[i]!)
      bytes += Buffer.byteLength(JSON.stringify(line)) + 1
      if (bytes > maxBytes) break
      found.push(line)
    }
    return found.reverse()
  }
}
