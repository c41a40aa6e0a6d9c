/** Time as a dependency, so that cooldowns, back-off and pacing are tested without waiting. */
export interface Clock {
  /** Milliseconds since the epoch; may jump when the device's time is set. */
  now(): number
  /** Milliseconds that only grow; for durations. */
  monotonic(): number
  /** Resolves after `delayMs`, or rejects with the signal's reason. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const stop = () => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', stop)
        resolve()
      }, delayMs)
      signal?.addEventListener('abort', stop, { once: true })
    }),
}

export interface Backoff {
  /** Delay before attempt `attempt` (0-based): exponential, capped, between half and all of it at random so that a fleet does not knock in step. */
  delayMs(attempt: number): number
}

export function exponentialBackoff(
  baseMs: number,
  maxMs: number,
  random: () => number = Math.random,
): Backoff {
  return {
    delayMs: attempt =>
      Math.ceil(Math.min(maxMs, baseMs * 2 ** Math.min(attempt, 30)) * (0.5 + random() / 2)),
  }
}
