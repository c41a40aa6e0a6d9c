import { type Clock, fault } from '@sightline/core'

export interface Deadline {
  readonly clock: Clock
  readonly timeoutMs: number
  /** What is waited for, for the message: `an answer`, `the next frame`. */
  readonly what: string
}

/**
 * Waits for `work` until time is up; what it holds open is then its owner's to close.
 * @throws CAMERA_FAILED when time is up.
 */
export async function withDeadline<T>(
  { clock, timeoutMs, what }: Deadline,
  work: () => Promise<T>,
): Promise<T> {
  const settled = new AbortController()
  const late = clock.sleep(timeoutMs, settled.signal).then(() => {
    throw fault('CAMERA_FAILED', `${what} did not come within ${timeoutMs / 1000} s`)
  })
  // Ends by rejection when the work is done first; nobody listens then.
  late.catch(() => {})
  try {
    return await Promise.race([work(), late])
  } finally {
    settled.abort()
  }
}
