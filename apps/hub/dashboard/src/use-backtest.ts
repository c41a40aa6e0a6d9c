import { useEffect, useState } from 'preact/hooks'
import { ApiError, asApiError } from './api-error.ts'
import type { Rule } from './api-types.ts'
import {
  type BacktestOptions,
  type BacktestProgress,
  type BacktestRequest,
  type BacktestResult,
  backtest,
} from './backtest.ts'

/** A pause in typing, after which the rule is tried. */
const PAUSE_MS = 400
const EXAMPLES = 12
/** What was given up ends a moment later at the hub, which is busy until it has. */
const BUSY_RETRY_MS = 1000
const BUSY_RETRIES = 20

export interface Trial {
  /** Of the newest rule that was tried to the end; kept while the next one runs. */
  readonly result: BacktestResult | undefined
  readonly progress: BacktestProgress | undefined
  readonly error: ApiError | undefined
  readonly running: boolean
}

/**
 * What the rule would have raised, tried anew whenever it changes; what is under way is given up. Undefined: nothing to
 * try. Names and severities change nothing, so `rule` is compared by what the hub computes with.
 * @param days how far back; undefined for everything
 */
export function useBacktest(rule: Rule | undefined, days: number | undefined): Trial {
  const [trial, setTrial] = useState<Trial>({
    result: undefined,
    progress: undefined,
    error: undefined,
    running: false,
  })
  const question = rule === undefined ? undefined : JSON.stringify({ ...rule, id: 'trial', name: 'Trial' })
  useEffect(() => {
    if (question === undefined) return
    const aborter = new AbortController()
    const { signal } = aborter
    const timer = setTimeout(async () => {
      const change = (part: Partial<Trial>) => {
        if (!signal.aborted) setTrial(before => ({ ...before, ...part }))
      }
      change({ running: true, progress: undefined })
      const from = days === undefined ? undefined : new Date(Date.now() - days * 86_400_000).toISOString()
      try {
        const result = await patiently(
          { rule: JSON.parse(question) as Rule, from, limit: EXAMPLES },
          { signal, onProgress: progress => change({ progress }) },
        )
        change({ result, error: undefined, running: false })
      } catch (error) {
        change({ error: asApiError(error), running: false })
      }
    }, PAUSE_MS)
    return () => {
      clearTimeout(timer)
      aborter.abort()
    }
  }, [question, days])
  return trial
}

/** @throws ApiError; the signal's reason */
async function patiently(request: BacktestRequest, options: BacktestOptions): Promise<BacktestResult> {
  for (let tries = 0; ; tries++) {
    try {
      return await backtest(request, options)
    } catch (error) {
      const busy = error instanceof ApiError && error.code === 'API_BUSY'
      if (!busy || tries === BUSY_RETRIES) throw error
    }
    await new Promise(resolve => setTimeout(resolve, BUSY_RETRY_MS))
    options.signal.throwIfAborted()
  }
}
