import { describe, expect, test } from 'vitest'
import { formatHash, parseHash } from '../../dashboard/src/router.ts'
import {
  isFiltered,
  NO_FILTERS,
  parseQuery,
  parseSource,
  queryFilter,
  queryParams,
  rangeFault,
  type SearchQuery,
  sourceKey,
} from '../../dashboard/src/search-query.ts'

describe('the address of a page', () => {
  test('comes back as it was, whatever stands in it', () => {
    const params = { text: 'a cat & "dog" + 50% #1 <b>', camera: 'yard' }
    expect(parseHash(formatHash('search', params))).toEqual({ page: 'search', params })
  })

  test('anything unknown or broken is the search page', () => {
    for (const hash of ['', '#', '#/', '#/nonsense', '#/%E0%A4%A', '#/search?text=%E0%A4%A', '#main']) {
      expect(parseHash(hash).page).toBe('search')
    }
    expect(parseHash('#/live').page).toBe('live')
  })

  test('empty parameters are left out', () => {
    expect(formatHash('live', { frame: undefined, text: '' })).toBe('#/live')
  })
})

describe('a search in its address', () => {
  const NOW = Date.parse('2026-03-10T12:00:00Z')
  const camera = { site: 'home', node: 'jetson-01', camera: 'yard' }

  test('comes back as it was', () => {
    const query: SearchQuery = {
      ...{ text: 'a cat', like: '', source: camera, rule: 'cat', fired: '' as const, tag: 'case 12' },
      ...{ range: '24h' as const, from: '', to: '' },
    }
    expect(parseQuery(parseHash(formatHash('search', queryParams(query))).params)).toEqual(query)
    expect(queryFilter(query, NOW)).toMatchObject({ tag: 'case 12', rule: 'cat' })
  })

  test('an unknown range is any time; half a camera is none', () => {
    expect(parseQuery({ range: 'toString', camera: 'yard', fired: 'perhaps' })).toEqual({
      ...NO_FILTERS,
      text: '',
      like: '',
    })
  })

  test('a source is a site, a device of it, or a camera of that', () => {
    expect(parseQuery({ site: 'home', camera: 'yard' }).source).toEqual({ site: 'home' })
    expect(queryFilter(parseQuery({ site: 'home', node: 'jetson-01' }), NOW)).toEqual({
      site: 'home',
      node: 'jetson-01',
    })
    for (const source of [{}, { site: 'home' }, { site: 'home', node: 'jetson-01' }, camera]) {
      expect(parseSource(sourceKey(source))).toEqual(source)
    }
  })

  test('a rule means that it fired; without one it may be any, or none', () => {
    expect(queryFilter(parseQuery({ rule: 'cat', fired: 'no' }), NOW)).toEqual({ rule: 'cat', fired: true })
    expect(queryFilter(parseQuery({ fired: 'no' }), NOW)).toEqual({ fired: false })
    expect(isFiltered(parseQuery({ fired: 'no' }))).toBe(true)
    expect(isFiltered({ ...parseQuery({ rule: 'cat', range: '1h', ...camera }), ...NO_FILTERS })).toBe(false)
  })

  test('a range counts back from now', () => {
    expect(queryFilter(parseQuery({ range: '1h', ...camera }), NOW)).toEqual({
      ...camera,
      from: '2026-03-10T11:00:00.000Z',
    })
    expect(queryFilter(parseQuery({}), NOW)).toEqual({})
  })

  test('a custom range may be open at either end, but not turned round', () => {
    const range = (from: string, to: string) => parseQuery({ range: 'custom', from, to })
    const open = range('2026-03-01T10:00:00.000Z', '')
    expect(rangeFault(open)).toBeUndefined()
    expect(queryFilter(open, NOW)).toEqual({ from: '2026-03-01T10:00:00.000Z' })
    expect(rangeFault(range('2026-03-02T10:00:00Z', '2026-03-01T10:00:00Z'))).toMatch(/after the start/)
    expect(rangeFault(range('soon', ''))).toMatch(/not a date/)
  })
})
