import { readFileSync } from 'node:fs'

/**
 * Resident memory of another process without the files that it maps, in bytes; undefined where there is no /proc. Of a
 * store in LMDB every page that was touched counts as resident until the kernel wants it back, and on a tmpfs as shared memory.
 */
export function ownBytesOf(pid: number): number | undefined {
  try {
    const kilobytes = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  } catch {
    return undefined
  }
}

/** Looks at a process once a second. */
export class MemoryWatch {
  readonly #samples: { readonly atMs: number; readonly bytes: number }[] = []
  readonly #timer: NodeJS.Timeout

  constructor(pid: number) {
    const look = () => {
      const bytes = ownBytesOf(pid)
      if (bytes !== undefined) this.#samples.push({ atMs: performance.now(), bytes })
    }
    look()
    this.#timer = setInterval(look, 1000)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  get peakBytes(): number {
    return Math.max(0, ...this.#samples.map(({ bytes }) => bytes))
  }

  /** Least-squares slope over the second half, when caches are full, in MiB a minute. */
  get slopeMibPerMinute(): number {
    const half = this.#samples.slice(Math.floor(this.#samples.length / 2))
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
    const [x, y] = [half.map(({ atMs }) => atMs / 60_000), half.map(({ bytes }) => bytes / 2 ** 20)]
    const [meanX, meanY] = [mean(x), mean(y)]
    const spread = x.reduce((sum, each) => sum + (each - meanX) ** 2, 0)
    return spread === 0 ? 0 : x.reduce((sum, each, i) => sum + (each - meanX) * (y[i]! - meanY), 0) / spread
  }
}
