import { describe, expect, test } from 'vitest'
import { MetricsText } from '../../dashboard/src/metrics-text.ts'

const metrics = new MetricsText(`# HELP sightline_search_seconds Time of a search.
# TYPE sightline_search_seconds histogram
sightline_search_seconds_count 100
sightline_index_recall Nan
sightline_index_segments 3
sightline_search_cache_hits_total 3
sightline_search_cache_misses_total 1
sightline_text_cache_hits_total 0
sightline_text_cache_misses_total 0
`)

describe('metrics', () => {
  test('a sample that is missing or not a number yet is unknown', () => {
    expect(metrics.value('sightline_index_segments')).toBe(3)
    expect(metrics.value('sightline_index_recall')).toBeUndefined()
    expect(metrics.value('sightline_nothing')).toBeUndefined()
  })

  test('a cache that nobody asked has no hit rate', () => {
    expect(metrics.hitRate('sightline_search_cache')).toBe(0.75)
    expect(metrics.hitRate('sightline_text_cache')).toBeUndefined()
  })
})
