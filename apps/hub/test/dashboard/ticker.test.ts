import { expect, test } from 'vitest'
import type { Frame, Incident } from '../../dashboard/src/api-types.ts'
import { type TickerHit, tickerEntries, withHit } from '../../dashboard/src/ticker.ts'

const at = (minute: number) => `2026-01-01T12:${String(minute).padStart(2, '0')}:00Z`
const event = (search: string, camera: string, minute: number) => ({
  search: { id: search, name: search },
  frame: { id: `${camera}-${minute}`, site: 's', node: 'n', camera, capturedAt: at(minute) } as Frame,
  similarity: 0.3,
})

test('hits of one search on one camera are one line, with the newest frame', () => {
  let hits: TickerHit[] = []
  for (const each of [event('dogs', 'yard', 1), event('dogs', 'lobby', 2), event('dogs', 'yard', 3)])
    hits = withHit(hits, each)
  // Replayed after an outage: counted, but not shown in place of a newer one.
  hits = withHit(hits, event('dogs', 'yard', 0))
  expect(hits.map(({ frame, hits: count }) => [frame.id, count])).toEqual([
    ['yard-3', 3],
    ['lobby-2', 1],
  ])
})

test('no more than fifty lines are kept', () => {
  let hits: TickerHit[] = []
  for (let i = 0; i < 80; i++) hits = withHit(hits, event('dogs', `camera-${i}`, i % 60))
  expect(hits).toHaveLength(50)
  expect(hits[0]!.frame.camera).toBe('camera-79')
})

test('incidents and hits stand together, newest first, or one kind alone', () => {
  const incident = (id: string, minute: number, endedAt: string | null) =>
    ({ id, startedAt: at(minute), endedAt }) as Incident
  const incidents = [incident('over', 5, at(6)), incident('open', 1, null)]
  const hits = withHit([], event('dogs', 'yard', 3))
  const shown = (filter: 'all' | 'ongoing' | 'saved') =>
    tickerEntries(incidents, hits, filter).map(entry =>
      entry.kind === 'incident' ? entry.incident.id : entry.hit.frame.id,
    )
  expect(shown('all')).toEqual(['over', 'yard-3', 'open'])
  expect(shown('ongoing')).toEqual(['open'])
  expect(shown('saved')).toEqual(['yard-3'])
})
