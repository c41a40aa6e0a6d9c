import type { NodeState } from '@sightline/core'
import { nodeView } from '@sightline/hub/api/views.js'
import type { NodeRecord, RecordStore } from '@sightline/hub/store/record-store.js'
import { describe, expect, test } from 'vitest'

const AT = Date.UTC(2026, 0, 2, 3, 4, 5)
const state: NodeState = {
  v: 1,
  online: true,
  at: AT,
  session: '01JD0000000000000000000000',
  agent: '1.0.0',
  fingerprint: 'mini:1',
  provider: '',
  rulesGroup: 'all',
  rulesVersion: 0,
  configVersion: 0,
  cameras: [],
}
const health = {
  of: () => ({ status: 'healthy', reasons: [] }) as const,
  config: () => ({ desired: 2, inForce: 1, drift: 'pending' }) as const,
}
const store = { stored: () => ({ upTo: 0, ranges: [] }) } as unknown as RecordStore

function view(change: Partial<NodeState>) {
  const record = {
    site: 's',
    node: 'n',
    lastSeenAt: AT,
    lastDataAt: null,
    stats: null,
    state: { ...state, ...change },
  }
  return nodeView(record as unknown as NodeRecord, store, health)
}

describe('a device', () => {
  test('that opens its model has no provider yet, and says what it is at', () => {
    const starting = { phase: 'building-engine', progress: 0.4, since: AT } as const
    expect(view({ starting })).toMatchObject({
      provider: null,
      starting: { phase: 'building-engine', progress: 0.4, since: '2026-01-02T03:04:05.000Z' },
    })
  })

  test('that gave up says why', () => {
    const starting = { phase: 'opening-model', since: AT, error: 'MODEL_INVALID: no graph' } as const
    expect(view({ online: false, starting }).starting).toMatchObject({ error: 'MODEL_INVALID: no graph' })
  })

  test('that is ready has neither', () => {
    expect(view({ provider: 'cpu' })).toMatchObject({ provider: 'cpu' })
    expect(view({ provider: 'cpu' })).not.toHaveProperty('starting')
  })
})
