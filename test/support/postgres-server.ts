import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createLog } from '@sightline/core'
import { PoolSql } from '@sightline/hub/index/pgvector/pool-sql.js'
import { openPostgresIndex } from '@sightline/hub/index/pgvector/postgres-index.js'
import type { VectorIndex } from '@sightline/hub/index/vector-index.js'
import { postgresOptions } from './pglite-sql.ts'

const DEBIAN = '/usr/lib/postgresql'
const START_TIMEOUT_MS = 30_000
const log = createLog({ name: 'test', level: 'silent' })

/** Why no PostgreSQL with pgvector can be started here; undefined: it can. SIGHTLINE_TEST_POSTGRES names a folder of its programs. */
export function postgresMissing(): string | undefined {
  const bin = binaries()
  if (bin === undefined)
    return `no PostgreSQL under ${DEBIAN} (apt install postgresql, or set SIGHTLINE_TEST_POSTGRES)`
  const share = execFileSync(join(bin, 'pg_config'), ['--sharedir'], { encoding: 'utf8' }).trim()
  if (!existsSync(join(share, 'extension/vector.control')))
    return `${bin} has no extension vector (apt install postgresql-17-pgvector or the like)`
  return undefined
}

/** A server of its own in a temporary folder, on a unix socket. It refuses to be root. */
export class PostgresServer {
  readonly #bin = binaries()!
  readonly #dir = mkdtempSync(join(tmpdir(), 'sl-pg-'))
  readonly #as = postgresUser()
  #process: ChildProcess | undefined

  get url(): string {
    return `postgresql://postgres@/postgres?host=${encodeURIComponent(this.#dir)}`
  }

  async start(): Promise<void> {
    if (!existsSync(join(this.#dir, 'data'))) {
      if (this.#as !== undefined) chownSync(this.#dir, this.#as.uid, this.#as.gid)
      const made = spawn(
        join(this.#bin, 'initdb'),
        ['-D', join(this.#dir, 'data'), '-U', 'postgres', '-A', 'trust', '-N'],
        { ...this.#as, stdio: 'ignore' },
      )
      await once(made, 'exit')
    }
    this.#process = spawn(
      join(this.#bin, 'postgres'),
      ['-D', join(this.#dir, 'data'), '-k', this.#dir, '-c', 'listen_addresses=', '-c', 'fsync=off'],
      { ...this.#as, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const { stderr } = this.#process
    await new Promise<void>((resolve, reject) => {
      let said = ''
      const timer = setTimeout(() => reject(said), START_TIMEOUT_MS)
      stderr!.on('data', text => {
        said += text
        if (!said.includes('ready to accept connections')) return
        clearTimeout(timer)
        said = ''
        resolve()
      })
    })
  }

  /** At once, as a crash: what was committed is there afterwards. */
  async halt(): Promise<void> {
    const process = this.#process
    this.#process = undefined
    if (process === undefined) return
    const ended = once(process, 'exit')
    process.kill('SIGQUIT')
    await ended
  }

  async remove(): Promise<void> {
    await this.halt()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/** For the contract: an index in a schema of its own. */
export function postgresIndexes(graphAt: number) {
  let server: PostgresServer | undefined
  return {
    missing: postgresMissing(),
    start: async () => {
      server = new PostgresServer()
      await server.start()
    },
    stop: async () => {
      await server?.remove()
    },
    open: (dir: string, dim: number): Promise<VectorIndex> =>
      openPostgresIndex({ ...postgresOptions(`s${basename(dir)}`, dim, graphAt), sql: poolOf(server!.url) }),
  }
}

export function poolOf(url: string): PoolSql {
  return new PoolSql({ url, maxConnections: 4, statementTimeoutMs: 30_000, log })
}

function binaries(): string | undefined {
  const given = process.env.SIGHTLINE_TEST_POSTGRES
  if (given !== undefined) return given
  if (!existsSync(DEBIAN)) return undefined
  const versions = readdirSync(DEBIAN).map(Number)
  const newest = Math.max(...versions.filter(version => version >= 15))
  return Number.isFinite(newest) ? join(DEBIAN, String(newest), 'bin') : undefined
}

function postgresUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
