import type { Backoff, Clock } from '@sightline/core/clock.js'
import { isFault, messageOf } from '@sightline/core/errors.js'
import type { PullProgress } from './progress.ts'

export interface RetryPolicy {
  readonly clock: Clock
  readonly backoff: Backoff
  /** Failures in a row without a single new byte. */
  readonly maxFailures: number
}

/** Whether asking again may help; see `pullFailed`. */
export function canRetry(error: unknown): boolean {
  return isFault(error, 'MODEL_PULL_FAILED') && error.details.retry === true
}

/** Waits before attempt number `failures`, at least as long as the server asked for. */
export async function pause(
  { clock, backoff }: RetryPolicy,
  { failures, error, signal }: { failures: number; error: unknown; signal: AbortSignal | undefined },
  progress: PullProgress,
): Promise<void> {
  const askedMs = isFault(error) ? Number(error.details.retryAfterMs ?? 0) : 0
  const delayMs = Math.max(backoff.delayMs(failures - 1), askedMs)
  progress.note(`${messageOf(error)}; again in ${Math.ceil(delayMs / 1000)} s`)
  await clock.sleep(delayMs, signal)
}

/** Repeats what makes no progress of its own. */
export async function retrying<T>(
  attempt: () => Promise<T>,
  {
    policy,
    signal,
    progress,
  }: { policy: RetryPolicy; signal: AbortSignal | undefined; progress: PullProgress },
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt()
    } catch (error) {
      if (!canRetry(error) || failures > policy.maxFailures) throw error
      await pause(policy, { failures, error, signal }, progress)
    }
  }
}
