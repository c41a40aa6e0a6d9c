import { NAME_PATTERN } from '@sightline/core'
import { Type } from 'typebox'
import { GROUPINGS, MAX_LIMIT, MAX_SUBJECTS } from '../search/query.ts'
import { NUMBERS_ALONE } from './request-checks.ts'
import { FilterShape, FrameShape, Limit, Tag } from './shapes.ts'

/** Shapes of questions and answers of the search. */

export const Text = Type.String({ minLength: 1, maxLength: 2000 })
export const Base64Image = Type.String({ minLength: 1, description: 'A JPEG, PNG or WebP file in base64.' })
export const FrameId = Type.String({ minLength: 1, maxLength: 300 })
export const VectorShape = Type.Array(Type.Number(), { minItems: 8, maxItems: 4096, ...NUMBERS_ALONE })
const Names = (pattern: string, description: string) =>
  Type.Optional(Type.Array(Type.String({ pattern, maxLength: 200 }), { maxItems: 1000, description }))

/** What is known of a frame besides where and when it was taken. */
export const ContentFilter = {
  rule: Type.Optional(
    Type.String({ minLength: 1, maxLength: 64, description: 'Judged by this rule: fired or not.' }),
  ),
  fired: Type.Optional(
    Type.Boolean({ description: 'Whether that rule fired; without a rule, whether any did.' }),
  ),
  tag: Type.Optional({ ...Tag, description: 'That people call it by.' } as typeof Tag),
}

export const SearchFilterShape = {
  ...FilterShape,
  sites: Names(NAME_PATTERN, 'Of one of these sites.'),
  cameras: Names('^[^/]+/[^/]+/[^/]+$', 'Of one of these cameras, each site/node/camera.'),
  ...ContentFilter,
}

/** Exactly one of them. */
export const SubjectShape = {
  text: Type.Optional(Text),
  image: Type.Optional(Base64Image),
  imageUrl: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 2048,
      description: 'Address of a picture that the hub fetches, where searchByUrl.enabled is set.',
    }),
  ),
  id: Type.Optional({ ...FrameId, description: 'A stored frame: more like this.' } as typeof FrameId),
  vector: Type.Optional(VectorShape),
}

const Weighted = (fallback: number) =>
  Type.Array(
    Type.Object(
      {
        ...SubjectShape,
        weight: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 10, default: fallback })),
      },
      { additionalProperties: false },
    ),
    { maxItems: MAX_SUBJECTS },
  )

const MinScore = Type.Optional(
  Type.Number({ minimum: 0, maximum: 1, description: 'Hits with a lower score are left out.' }),
)
const Cursor = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 400,
    description: '`nextCursor` of the page before; the query stays.',
  }),
)
const Lambda = Type.Number({
  minimum: 0,
  maximum: 1,
  description: 'Maximal marginal relevance: 1 is relevance alone, 0 variety alone; 0.7 is a good start.',
})
const GroupBy = Type.Optional(
  Type.Enum([...GROUPINGS], { description: 'One group a camera, incident or stretch of time (UTC).' }),
)
const Facets = Type.Optional(
  Type.Boolean({ description: 'Count the candidates by site, device, camera, rule, tag, day and time.' }),
)

/** Fields that a query string or a form can carry. */
export const SimpleShape = {
  limit: Limit(24, MAX_LIMIT),
  cursor: Cursor,
  minScore: MinScore,
  diversity: Type.Optional(Lambda),
  groupBy: GroupBy,
  facets: Facets,
  ...FilterShape,
  ...ContentFilter,
}

export const QuestionShape = {
  ...SubjectShape,
  positives: Type.Optional(Weighted(1)),
  negatives: Type.Optional(Weighted(0.5)),
  filter: Type.Optional(Type.Object(SearchFilterShape, { additionalProperties: false })),
}

export const SearchBody = Type.Object(
  {
    ...QuestionShape,
    limit: Limit(24, MAX_LIMIT),
    cursor: Cursor,
    minScore: MinScore,
    exact: Type.Optional(Type.Boolean({ description: 'Compare with every frame that passes the filter.' })),
    timeDecay: Type.Optional(
      Type.Object(
        { halfLifeHours: Type.Number({ exclusiveMinimum: 0, maximum: 1_000_000 }) },
        { additionalProperties: false, description: 'Every half-life halves the odds of a match.' },
      ),
    ),
    diversity: Type.Optional(Type.Object({ lambda: Lambda }, { additionalProperties: false })),
    groupBy: GroupBy,
    groupSize: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 20, default: 1, description: 'Hits of each group.' }),
    ),
    facets: Facets,
    explain: Type.Optional(
      Type.Boolean({ description: "Tell each part's contribution to the similarity of each hit." }),
    ),
  },
  { additionalProperties: false },
)

export const ContributionShape = Type.Object({
  role: Type.Enum(['positive', 'negative']),
  subject: Type.String({ description: 'The words, the id of the frame, `image` or `vector`.' }),
  weight: Type.Number(),
  similarity: Type.Number({ description: 'Cosine between this part of the query and the frame.' }),
  contribution: Type.Number({ description: "Its part of the hit's similarity: all add up to it." }),
  share: Type.Number({ description: "Of the sum of the contributions' sizes." }),
})

export const HitShape = Type.Object({
  ...FrameShape.properties,
  similarity: Type.Number({ description: 'Cosine between query and frame.' }),
  score: Type.Number({
    description: 'Probability that this frame, rather than a typical stored one, matches the query.',
  }),
  percentile: Type.Number({ description: 'Share of typical stored frames that are less similar.' }),
  zScore: Type.Number({ description: 'Standard deviations above typical stored frames.' }),
  rank: Type.Optional(
    Type.Number({ description: 'With timeDecay: the similarity less what time took from it.' }),
  ),
  alike: Type.Optional(
    Type.Integer({
      description: 'With diversity: frames of its camera that look the same and were left out.',
    }),
  ),
  group: Type.Optional(Type.String({ description: 'With groupBy: key of its group.' })),
  contributions: Type.Optional(Type.Array(ContributionShape)),
})

const FacetValues = Type.Array(Type.Object({ value: Type.String(), count: Type.Integer() }))

export const SearchAnswer = Type.Object({
  hits: Type.Array(HitShape),
  groups: Type.Optional(
    Type.Array(
      Type.Object(
        {
          key: Type.String({
            description:
              'site/node/camera, begin of the stretch, or id of the incident (of the frame without one).',
          }),
          frames: Type.Integer({ description: 'Candidates in it.' }),
          bestFrameId: Type.String(),
        },
        { description: 'In the order of their best hits.' },
      ),
    ),
  ),
  facets: Type.Optional(
    Type.Object(
      {
        site: FacetValues,
        node: FacetValues,
        camera: FacetValues,
        rule: FacetValues,
        tag: FacetValues,
        day: FacetValues,
        histogram: Type.Object({
          bucketMs: Type.Integer(),
          buckets: Type.Array(
            Type.Object({ at: Type.String({ format: 'date-time' }), count: Type.Integer() }),
          ),
        }),
      },
      { description: 'Counted over the candidates, so approximate where total.relation is gte.' },
    ),
  ),
  total: Type.Object(
    { value: Type.Integer(), relation: Type.Enum(['eq', 'gte']) },
    { description: 'Candidates: all that match (eq), or the best of more (gte).' },
  ),
  nextCursor: Type.Union([Type.String(), Type.Null()]),
  tookMs: Type.Number(),
  model: Type.Object({ name: Type.String(), fingerprint: Type.String() }),
})
