/** A failed request: the hub's own code, message and remedy, or what stands for them when the hub did not answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: string
  readonly remedy: string
  /** HTTP status; 0 when there was no answer. */
  readonly status: number

  constructor({ code, message, remedy, status }: ApiFailure) {
    super(message)
    this.code = code
    this.remedy = remedy
    this.status = status
  }

  get offline(): boolean {
    return this.status === 0
  }
}

export interface ApiFailure {
  readonly code: string
  readonly message: string
  readonly remedy: string
  readonly status: number
}

/** The hub's error body, or a description of an answer that is none (a proxy's page, an empty body). */
export function failureOf(status: number, body: unknown): ApiFailure {
  const error = record(record(body)?.error)
  const { code, message, remedy } = error ?? {}
  if (typeof code === 'string' && typeof message === 'string') {
    return { code, message, remedy: typeof remedy === 'string' ? remedy : '', status }
  }
  return {
    code: `HTTP_${status}`,
    message: `The hub answered with status ${status}.`,
    remedy: 'Try again. If it stays, look into the log of the hub or of the proxy before it.',
    status,
  }
}

export function offlineFailure(): ApiFailure {
  return {
    code: 'OFFLINE',
    message: 'The hub cannot be reached.',
    remedy: 'Check that it is running and that this device is on its network.',
    status: 0,
  }
}

/** Text of any thrown value, as an API failure. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  return new ApiError({
    code: 'DASHBOARD',
    message: error instanceof Error ? error.message : String(error),
    remedy: 'Reload the page.',
    status: -1,
  })
}

function record(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
}
