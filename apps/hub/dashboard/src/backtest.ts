import { ApiError, failureOf, offlineFailure } from './api-error.ts'
import type { Frame, Rule, Severity } from './api-types.ts'

/** What a rule would have raised on stored frames: the last line of `POST /rules/backtest`. */
export interface BacktestResult {
  readonly rule: { readonly on: number; readonly off: number }
  readonly frames: number
  readonly fired: number
  readonly belowMinSimilarity: number
  readonly otherModels: number
  readonly first: string | null
  readonly last: string | null
  readonly incidents: {
    readonly total: number
    readonly perDay: number
    readonly days: readonly BacktestDay[]
    readonly cameras: readonly BacktestCamera[]
    readonly top: readonly BacktestIncident[]
  }
  /** Frames by score, bins of equal width from 0 to 1. */
  readonly histogram: readonly number[]
  readonly best: readonly ScoredFrame[]
  readonly borderline: readonly ScoredFrame[]
  readonly labelled: {
    readonly frames: number
    readonly precision: number | null
    readonly recall: number | null
  } | null
  readonly tookMs: number
}

interface Counts {
  readonly frames: number
  readonly fired: number
  readonly incidents: number
}

export type BacktestDay = Counts & { readonly day: string }
export type BacktestCamera = Counts & {
  readonly site: string
  readonly node: string
  readonly camera: string
}
export type ScoredFrame = Frame & { readonly score: number; readonly similarity: number }

export interface BacktestIncident {
  readonly site: string
  readonly node: string
  readonly camera: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly peakScore: number
  readonly frames: number
  readonly bestFrameId: string
  readonly thumbnailUrl: string | null
}

export interface BacktestProgress {
  readonly scanned: number
  readonly total: number
}

export interface BacktestRequest {
  readonly rule: Omit<Rule, 'severity'> & { readonly severity: Severity }
  /** RFC 3339; absent: everything that is stored. */
  readonly from: string | undefined
  /** Examples of each kind. */
  readonly limit: number
}

export interface BacktestOptions {
  readonly signal: AbortSignal
  readonly onProgress: (progress: BacktestProgress) => void
}

type Line =
  | ({ readonly type: 'progress' } & BacktestProgress)
  | ({ readonly type: 'result' } & BacktestResult)
  | { readonly type: 'error'; readonly error: unknown }

/** Runs a backtest on the hub and follows its lines. @throws ApiError */
export async function backtest(
  { rule, from, limit }: BacktestRequest,
  { signal, onProgress }: BacktestOptions,
): Promise<BacktestResult> {
  const response = await fetch('/api/v1/rules/backtest', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ rule, limit, ...(from === undefined ? {} : { filter: { from } }) }),
    signal,
  }).catch((error: unknown) => {
    if (signal.aborted) throw error
    throw new ApiError(offlineFailure())
  })
  if (!response.ok || response.body === null) {
    throw new ApiError(failureOf(response.status, await response.json().catch(() => undefined)))
  }
  for await (const line of jsonLines(response.body)) {
    if (line.type === 'progress') onProgress(line)
    else if (line.type === 'result') return line
    else throw new ApiError(failureOf(500, line))
  }
  throw new ApiError(offlineFailure())
}

/** One JSON document a line; a line may come in pieces. */
export async function* jsonLines(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<Line> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ''
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      const lines = (rest + value).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) if (line !== '') yield JSON.parse(line) as Line
    }
  } finally {
    await reader.cancel()
  }
}
