import { pgliteIndexes } from '../../support/pglite-sql.ts'
import { postgresIndexes } from '../../support/postgres-server.ts'
import { vectorIndexContract } from './contract.ts'
import { SEAL_AT } from './subject.ts'

vectorIndexContract({ name: 'pgvector in PGlite', ...pgliteIndexes(SEAL_AT) })
vectorIndexContract({ name: 'pgvector in PostgreSQL', ...postgresIndexes(SEAL_AT) })
