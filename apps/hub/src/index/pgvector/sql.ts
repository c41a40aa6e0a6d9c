import { fault, isFault, messageOf, type SightlineError } from '@sightline/core'

export type Row = Record<string, unknown>
/** One statement. Parameters are `$1`, `$2`, …: numbers, text, and arrays of these. */
export type Query = <R extends Row = Row>(text: string, params?: readonly unknown[]) => Promise<R[]>

/** What the index needs of PostgreSQL; every failure is INDEX_UNAVAILABLE. */
export interface Sql {
  readonly query: Query
  /** All or nothing: rolled back when `work` rejects. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>
  /** One statement outside any transaction that may take hours; cancelled at the server by `signal`. */
  patient(text: string, signal: AbortSignal): Promise<void>
  /** Waits for what is under way. */
  close(): Promise<void>
}

/** What failed, with the SQLSTATE where the server answered. The connection URL is in none of these messages. */
export function unavailable(cause: unknown): SightlineError {
  if (isFault(cause)) return cause
  const state = sqlState(cause)
  return fault('INDEX_UNAVAILABLE', `PostgreSQL: ${messageOf(cause) || 'no connection'}`, {
    cause,
    ...(state === undefined ? {} : { details: { state } }),
  })
}

export function sqlState(error: unknown): string | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'string' && code !== '' ? code : undefined
}

/** A name as it stands in a statement. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
