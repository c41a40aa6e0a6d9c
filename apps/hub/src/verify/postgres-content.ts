import { readSpace } from '../index/pgvector/read-space.ts'
import type { Sql } from '../index/pgvector/sql.ts'
import { type IndexReader, NOTHING_INDEXED } from './index-content.ts'

/** The rows in PostgreSQL, as far as their hub has got. `open` connects; what it gave is closed. */
export function postgresReader(open: () => Sql, schema: string): IndexReader {
  return {
    kind: 'postgres',
    read: async () => {
      const sql = open()
      try {
        const space = await readSpace(sql, schema)
        if (space === undefined) return NOTHING_INDEXED
        const { fingerprint, lastOrd, graphs, ords, miscounted } = space
        return { segments: graphs, fingerprint, upTo: lastOrd, ords, damage: miscounted }
      } finally {
        await sql.close()
      }
    },
  }
}
