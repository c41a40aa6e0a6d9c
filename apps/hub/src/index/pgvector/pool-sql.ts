import type { Log } from '@sightline/core'
import pg from 'pg'
import { type Query, type Sql, unavailable } from './sql.ts'

const CONNECT_TIMEOUT_MS = 5000
const IDLE_TIMEOUT_MS = 60_000

export interface PoolSqlOptions {
  /** postgresql://…; TLS by its sslmode and sslrootcert. Holds a password: never logged. */
  readonly url: string
  readonly maxConnections: number
  readonly statementTimeoutMs: number
  readonly log: Log
}

/** A small pool of connections to a server. Connects when first asked, and anew after a connection was lost. */
export class PoolSql implements Sql {
  readonly #options: PoolSqlOptions
  readonly #pool: pg.Pool
  #ended: Promise<void> | undefined

  constructor(options: PoolSqlOptions) {
    this.#options = options
    const { url, maxConnections, statementTimeoutMs, log } = options
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: 'sightline-hub',
      max: maxConnections,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
      statement_timeout: statementTimeoutMs,
      // A server that vanished answers nothing at all.
      query_timeout: statementTimeoutMs + CONNECT_TIMEOUT_MS,
      keepAlive: true,
    })
    // Without a listener a connection that dies while idle ends the process.
    this.#pool.on('error', err => log.warn({ err: unavailable(err) }, 'idle database connection lost'))
  }

  readonly query: Query = async (text, params = []) => {
    try {
      return (await this.#pool.query(text, [...params])).rows
    } catch (error) {
      throw unavailable(error)
    }
  }

  async transaction<T>(work: (query: Query) => Promise<T>): Promise<T> {
    let broken: Error | undefined
    const client = await this.#pool.connect().catch(error => {
      throw unavailable(error)
    })
    // A connection that dies between two statements.
    const lost = (error: Error) => {
      broken = error
    }
    client.on('error', lost)
    try {
      await client.query('BEGIN')
      const done = await work(async (text, params = []) => (await client.query(text, [...params])).rows)
      await client.query('COMMIT')
      return done
    } catch (error) {
      await client.query('ROLLBACK').catch(lost)
      throw unavailable(error)
    } finally {
      client.off('error', lost)
      client.release(broken)
    }
  }

  async patient(text: string, signal: AbortSignal): Promise<void> {
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: 'sightline-hub builder',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
    })
    client.on('error', err =>
      this.#options.log.warn({ err: unavailable(err) }, 'builder lost its connection'),
    )
    let cancel: (() => void) | undefined
    try {
      await client.connect()
      signal.throwIfAborted()
      await client.query('SET statement_timeout = 0')
      const pid = (await client.query('SELECT pg_backend_pid() AS pid')).rows[0].pid as number
      cancel = () => void this.#pool.query('SELECT pg_cancel_backend($1)', [pid]).catch(() => {})
      signal.addEventListener('abort', cancel, { once: true })
      await client.query(text)
    } catch (error) {
      throw unavailable(error)
    } finally {
      if (cancel !== undefined) signal.removeEventListener('abort', cancel)
      await client.end().catch(() => {})
    }
  }

  close(): Promise<void> {
    this.#ended ??= this.#pool.end()
    return this.#ended
  }
}
