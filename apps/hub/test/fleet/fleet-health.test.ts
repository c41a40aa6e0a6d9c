import { FleetHealth } from '@sightline/hub/fleet/fleet-health.js'
import type { NodeRecord } from '@sightline/hub/store/record-store.js'
import { describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const clock = new FakeClock()
const starting = { phase: 'opening-model', since: 1 } as const

function fleet(issued: { version: number } | undefined, drift: string): FleetHealth {
  return new FleetHealth({
    ingest: { on: () => () => {} },
    shadow: { drift: () => ({ state: drift, since: null, detail: null }), issued: () => issued } as never,
    rules: { versionFor: () => null },
    known: [],
    clock,
  })
}

const record = (state: object | null): NodeRecord =>
  ({ site: 's', node: 'n', lastSeenAt: 1, lastDataAt: null, stats: null, state }) as unknown as NodeRecord
const state = (change: object) => ({ online: true, at: 1, cameras: [], rulesVersion: 1, ...change })

describe('what is known of a device', () => {
  const codes = (change: object) =>
    fleet(undefined, 'none')
      .of(record(state(change)))
      .reasons.map(({ code }) => code)

  it('is that it starts, while it is there', () => {
    expect(codes({ starting })).toContain('starting')
    // Its will was written while the model was being opened.
    expect(codes({ starting, online: false })).toEqual(['offline'])
    expect(codes({ starting: { ...starting, error: 'MODEL_INVALID' }, online: false })).toContain('starting')
  })

  it('is which configuration it has, and which it is to have', () => {
    const row = record(state({ configVersion: 2 }))
    expect(fleet({ version: 3 }, 'rejected').config(row)).toEqual({
      desired: 3,
      inForce: 2,
      drift: 'rejected',
    })
    expect(fleet(undefined, 'none').config(record(null))).toEqual({
      desired: null,
      inForce: null,
      drift: 'none',
    })
  })
})
