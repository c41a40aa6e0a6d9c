import { type Clock, fault } from '@sightline/core'

export interface TimeLimit {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Runs `work` with a signal that aborts with `signal`, or when time is up; `work` has to heed it. */
export async function withinTime<T>(
  { clock, timeoutMs, signal }: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const settled = new AbortController()
  const late = new AbortController()
  clock.sleep(timeoutMs, settled.signal).then(
    () => late.abort(fault('ACTION_FAILED', `not done within ${timeoutMs / 1000} s`)),
    () => {},
  )
  try {
    return await work(AbortSignal.any([signal, late.signal]))
  } finally {
    settled.abort()
  }
}
