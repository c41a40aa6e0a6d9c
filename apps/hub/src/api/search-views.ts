import { fault } from '@sightline/core'
import type { Static } from 'typebox'
import type { SearchHit, SearchQuery, SearchResult, SearchSubject } from '../search/query.ts'
import { parseFilter } from './filter.ts'
import type { SearchAnswer, SearchBody } from './search-shapes.ts'
import { frameView } from './views.ts'

type Body = Static<typeof SearchBody>
type BodySubject = { readonly [Key in 'text' | 'image' | 'id' | 'vector']?: Body[Key] | undefined }

/** What a JSON body asks. */
export function queryOf({
  filter,
  positives,
  negatives,
  text,
  image,
  id,
  vector,
  ...how
}: Body): SearchQuery {
  return {
    ...how,
    ...subjectOf({ text, image, id, vector }),
    positives: positives?.map(({ weight, ...subject }) => ({ ...subjectOf(subject), weight })),
    negatives: negatives?.map(({ weight, ...subject }) => ({ ...subjectOf(subject), weight })),
    filter: parseFilter(filter ?? {}),
  }
}

/** @throws API_BAD_REQUEST for more than one */
export function subjectOf({ text, image, id, vector }: BodySubject): SearchSubject {
  const given = [text, image, id, vector].filter(part => part !== undefined).length
  if (given > 1)
    throw fault('API_BAD_REQUEST', `give exactly one of text, image, id and vector, not ${given}`)
  return {
    text,
    image: image === undefined ? undefined : Buffer.from(image, 'base64'),
    id,
    vector: vector === undefined ? undefined : Float32Array.from(vector),
  }
}

export function answerView(result: SearchResult): Static<typeof SearchAnswer> {
  const { hits, groups, facets, total, nextCursor, tookMs, model } = result
  return {
    hits: hits.map(hitView),
    ...(groups === undefined ? {} : { groups: [...groups] }),
    ...(facets === undefined ? {} : { facets: facetsView(facets) }),
    total,
    nextCursor,
    tookMs,
    model,
  }
}

export function hitView({ frame, contributions, ...measures }: SearchHit) {
  return {
    ...frameView(frame),
    ...measures,
    ...(contributions === undefined ? {} : { contributions: [...contributions] }),
  }
}

function facetsView({ site, node, camera, rule, tag, day, histogram }: NonNullable<SearchResult['facets']>) {
  const { bucketMs, buckets } = histogram
  return {
    site: [...site],
    node: [...node],
    camera: [...camera],
    rule: [...rule],
    tag: [...tag],
    day: [...day],
    histogram: {
      bucketMs,
      buckets: buckets.map(({ at, count }) => ({ at: new Date(at).toISOString(), count })),
    },
  }
}
