import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'
import type { Query, Sql } from '@sightline/hub/index/pgvector/sql.js'

/** PostgreSQL with pgvector in this process, in memory. Connections share its one session. */
export async function openPglite(): Promise<{ connect: () => Sql; disconnect: () => Promise<void> }> {
  const db = await PGlite.create({ extensions: { vector } })
  const by =
    (session: Pick<PGlite, 'query'>): Query =>
    async (text, params = []) =>
      (await session.query<never>(text, [...params])).rows
  const sql: Sql = {
    query: by(db),
    transaction: work => db.transaction(tx => work(by(tx))),
    patient: async text => {
      await db.query(text)
    },
    close: async () => {},
  }
  return { connect: () => sql, disconnect: () => db.close() }
}
