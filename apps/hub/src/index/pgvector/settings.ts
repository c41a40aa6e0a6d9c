import { type Static, Type } from 'typebox'

/** Settings of `index.kind: postgres`. */
export const PostgresIndexSettings = Type.Object(
  {
    url: Type.Optional(
      Type.String({
        pattern: '^postgres(ql)?://',
        description:
          'postgresql://user:password@host/database?sslmode=verify-full. Better by SIGHTLINE_POSTGRES_URL, as it holds a password.',
      }),
    ),
    schema: Type.String({
      pattern: '^[a-z][a-z0-9_]{0,39}$',
      default: 'sightline',
      description: 'Of this hub alone: what another hub has in it is dropped.',
    }),
    maxConnections: Type.Integer({
      minimum: 2,
      maximum: 100,
      default: 8,
      description: 'Connections at once, besides one while a graph is built.',
    }),
    statementTimeoutMs: Type.Integer({
      minimum: 100,
      maximum: 600_000,
      default: 30_000,
      description: 'A search or a batch that takes longer is broken off.',
    }),
    partitionDays: Type.Number({
      minimum: 0.04,
      maximum: 3660,
      default: 30,
      description:
        'Days of one partition. Every search asks each one in its span of time; empty ones are dropped. Changing it builds the index anew.',
    }),
    hashPartitions: Type.Integer({
      minimum: 1,
      maximum: 64,
      default: 1,
      description: 'Parts of each by camera. Changing it builds the index anew.',
    }),
    graphAt: Type.Integer({
      minimum: 100,
      maximum: 10_000_000,
      default: 10_000,
      description: 'Vectors of a partition from which on it gets an HNSW graph.',
    }),
    m: Type.Integer({
      minimum: 2,
      maximum: 100,
      default: 16,
      description: 'Neighbours of a row in a graph. Changing it builds the index anew.',
    }),
    efConstruction: Type.Integer({
      minimum: 4,
      maximum: 1000,
      default: 100,
      description: 'Candidates while a graph is built. Changing it builds the index anew.',
    }),
    efSearch: Type.Integer({
      minimum: 10,
      maximum: 1000,
      default: 128,
      description: 'Candidates of a search in each graph: more find more, slower.',
    }),
  },
  { additionalProperties: false, default: {} },
)

export type PostgresIndexSettings = Static<typeof PostgresIndexSettings>
