import { expect, test } from 'vitest'
import type { ApiClient } from '../../dashboard/src/api.ts'
import type { Hit, SearchAnswer, SearchRequest } from '../../dashboard/src/api-types.ts'
import { variedSearch } from '../../dashboard/src/varied-search.ts'

/** A camera that has gone round its scenes many times; the hub answers by similarity, newest first among equals. */
function hubWith({ rounds, scenes }: { rounds: number; scenes: number }) {
  const frames = Array.from({ length: rounds * scenes }, (_, at) => ({
    id: `f${at}`,
    site: 's',
    node: 'n',
    camera: 'yard',
    verdicts: [],
    capturedAt: new Date(at * 1000).toISOString(),
    similarity: 0.9 - (at % scenes) / 100,
  })).reverse() as unknown as Hit[]
  const asked: SearchRequest[] = []
  const api: Pick<ApiClient, 'search'> = {
    search: async (request): Promise<SearchAnswer> => {
      asked.push(request)
      const hits = frames
        .filter(({ capturedAt }) => capturedAt >= (request.filter.from ?? ''))
        .sort((a, b) => b.similarity - a.similarity)
        .slice(0, request.limit)
      return { hits, tookMs: 2, model: { name: 'm', fingerprint: 'm:1' } }
    },
  }
  return { api, asked }
}

const request = { subject: { text: 'a cat' }, filter: { camera: 'yard' } }
const pictures = (hits: readonly Hit[]) => new Set(hits.map(({ similarity }) => similarity)).size

test('an answer with variety is taken as it is', async () => {
  const { api, asked } = hubWith({ rounds: 4, scenes: 40 })
  const { hits, tookMs } = await variedSearch(api, request, 24)
  expect([asked.length, pictures(hits), tookMs]).toEqual([1, 40, 2])
})

test('an answer crowded by one picture is filled up from the recent past, within the filter', async () => {
  const { api, asked } = hubWith({ rounds: 500, scenes: 40 })
  const { hits, tookMs } = await variedSearch(api, request, 24)
  expect(asked).toHaveLength(2)
  expect(asked[1]?.filter).toMatchObject({ camera: 'yard', from: expect.any(String) })
  expect(pictures(hits)).toBeGreaterThanOrEqual(24)
  expect(hits.map(({ similarity }) => similarity)).toEqual(
    hits.map(({ similarity }) => similarity).sort((a, b) => b - a),
  )
  expect(new Set(hits.map(({ id }) => id)).size).toBe(hits.length)
  expect(tookMs).toBe(4)
})
