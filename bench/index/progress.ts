import { performance } from 'node:perf_hooks'

const EVERY_MS = 10_000

/** Says on stderr how far a long job is, every ten seconds. */
export function progressOf(job: string, total: number): (done: number) => void {
  const startMs = performance.now()
  let saidMs = startMs
  return done => {
    const nowMs = performance.now()
    if (nowMs - saidMs < EVERY_MS) return
    saidMs = nowMs
    const percent = ((100 * done) / total).toFixed(0)
    console.error(`${job}: ${percent} %, ${((nowMs - startMs) / 1000).toFixed(0)} s`)
  }
}
