import { describe, expect, test } from 'vitest'
import type { FleetNode } from '../../dashboard/src/api-types.ts'
import {
  choicesOf,
  fleetQueryOf,
  fleetRows,
  shownRows,
  WHOLE_FLEET,
} from '../../dashboard/src/device-fleet.ts'
import type { EnrolledDevice, StatsPoint } from '../../dashboard/src/fleet-api.ts'
import { withGaps } from '../../dashboard/src/stats-series.ts'

function node(name: string, change: object = {}): FleetNode {
  return {
    site: 'plant',
    node: name,
    online: true,
    health: { status: 'healthy', reasons: [] },
    agent: '1.0.0',
    provider: 'cpu',
    fingerprint: 'mini:1',
    lastDataAt: '2026-01-02T00:00:00Z',
    stats: null,
    ...change,
  } as unknown as FleetNode
}
const enrolled = (name: string, revokedAt: string | null = null): EnrolledDevice => ({
  site: 'plant',
  node: name,
  enrolledAt: '2026-01-01T00:00:00Z',
  revokedAt,
  lastUsedAt: null,
  rotationAskedAt: null,
})

const rows = fleetRows(
  [
    node('dock-10', { stats: { outboxRecords: 5, outboxDropped: 1 } }),
    node('dock-2', { health: { status: 'degraded', reasons: [] }, agent: '0.9.0' }),
    node('gate', {
      site: 'yard',
      health: { status: 'offline', reasons: [] },
      lastDataAt: null,
      provider: 'cuda',
    }),
  ],
  [enrolled('dock-2'), enrolled('dock-7'), enrolled('gone', '2026-01-03T00:00:00Z')],
)
const names = (query: object) => shownRows(rows, { ...WHOLE_FLEET, ...query }).map(row => row.node)

describe('the fleet', () => {
  test('is who has reported and who was enrolled, by name as people count', () => {
    expect(rows.map(({ key, standing }) => [key, standing])).toEqual([
      ['plant/dock-2', 'degraded'],
      ['plant/dock-7', 'new'],
      ['plant/dock-10', 'healthy'],
      ['plant/gone', 'revoked'],
      ['yard/gate', 'offline'],
    ])
    expect(choicesOf(rows)).toEqual({ sites: ['plant', 'yard'], versions: ['0.9.0', '1.0.0'] })
  })

  test('is asked for by the address', () => {
    const asked = { text: 'dock', site: 'yard', standing: 'offline', version: '1.0.0', sort: 'queue' }
    expect(fleetQueryOf(asked)).toEqual(asked)
    expect(fleetQueryOf({ standing: 'happy', sort: 'mood', other: 'x' })).toEqual(WHOLE_FLEET)
  })

  test('is searched by all words, and filtered', () => {
    expect(names({ text: 'DOCK mini' })).toEqual(['dock-2', 'dock-10'])
    expect(names({ text: 'cuda' })).toEqual(['gate'])
    expect(names({ site: 'yard' })).toEqual(['gate'])
    expect(names({ standing: 'new' })).toEqual(['dock-7'])
    expect(names({ version: '0.9.0' })).toEqual(['dock-2'])
    expect(names({ text: 'nobody' })).toEqual([])
  })

  test('is sorted by what is wrong', () => {
    expect(names({ sort: 'standing' })).toEqual(['dock-2', 'gate', 'dock-7', 'gone', 'dock-10'])
    expect(names({ sort: 'queue' })[0]).toBe('dock-10')
    expect(names({ sort: 'lost' })[0]).toBe('dock-10')
    expect(names({ sort: 'last-data' }).slice(-2)).toEqual(['dock-2', 'dock-10'])
  })
})

test('no line is drawn across a silence', () => {
  const point = (at: string, gap: boolean) => ({ at, gap }) as StatsPoint
  const series = withGaps([point('2026-01-01T00:00:00Z', true), point('2026-01-01T01:00:00Z', true)])
  expect(series.map(each => each.point === null)).toEqual([false, true, false])
  expect(series.map(each => each.at)).toEqual([...series.map(each => each.at)].sort((a, b) => a - b))
})
