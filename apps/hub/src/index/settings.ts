import { Type } from 'typebox'
import { PostgresIndexSettings } from './pgvector/settings.ts'

/** Settings of the index. */
export const IndexSettings = Type.Object(
  {
    kind: Type.Enum(['segments', 'postgres'], {
      default: 'segments',
      description:
        'segments: in this process. postgres: in a PostgreSQL server with pgvector, for those who outgrow one machine (docs/scale-out.md).',
    }),
    postgres: PostgresIndexSettings,
    sealAt: Type.Integer({
      minimum: 64,
      maximum: 1_000_000,
      default: 4096,
      description: 'Vectors searched exactly before they are sealed into an HNSW segment.',
    }),
    maxSegment: Type.Integer({
      minimum: 1024,
      maximum: 4_000_000,
      default: 262_144,
      description:
        'Vectors of the largest segment that merging makes; building one takes some 2.3 kB a vector at 512 dimensions.',
    }),
  },
  { additionalProperties: false, default: {} },
)
