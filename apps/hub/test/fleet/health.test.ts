import { type HealthFacts, type HealthReason, healthOf } from '@sightline/hub/fleet/health.js'
import { describe, expect, it } from 'vitest'

const NOW = 1_700_000_000_000
const MINUTE = 60_000

const well: HealthFacts = {
  now: NOW,
  online: true,
  onlineSince: NOW - 60 * MINUTE,
  lastDataAt: NOW - 30_000,
  starting: null,
  cameras: [{ camera: 'gate', status: 'running' }],
  clockSkewMs: -800,
  outbox: { records: 3, bytes: 9000, maxBytes: 1_000_000 },
  drops: null,
  rules: { inForce: 4, expected: 4, error: null },
  config: { state: 'in-sync', since: NOW - 60 * MINUTE, detail: null },
}
const rules = well.rules
const outbox = well.outbox!
const pending = { state: 'pending', since: NOW - 2 * MINUTE, detail: 'version 1, not 2' } as const

const TABLE: readonly (readonly [string, Partial<HealthFacts>, readonly HealthReason[]])[] = [
  ['all is well', {}, []],
  ['away', { online: false, onlineSince: null }, ['offline']],
  ['away for long: its silence is no news', { online: false, lastDataAt: 0 }, ['offline']],
  [
    'a dead camera',
    { cameras: [{ camera: 'a', status: 'failed', error: 'CAMERA_FAILED' }] },
    ['camera-failed'],
  ],
  ['silence', { lastDataAt: NOW - 11 * MINUTE }, ['no-data']],
  ['silence from the beginning', { lastDataAt: null, onlineSince: NOW - 11 * MINUTE }, ['no-data']],
  ['just come, with data of yesterday', { lastDataAt: 0, onlineSince: NOW - MINUTE }, []],
  ['nothing to see', { lastDataAt: null, cameras: [] }, []],
  ['an engine is built', { starting: 'building-engine', lastDataAt: null }, ['starting']],
  ['behind', { clockSkewMs: 6000 }, ['clock-skew']],
  ['ahead', { clockSkewMs: -6000 }, ['clock-skew']],
  ['an unknown clock', { clockSkewMs: null }, []],
  ['an outbox half full', { outbox: { ...outbox, bytes: 500_001 } }, ['outbox-filling']],
  [
    'an outbox of unknown room',
    { outbox: { ...outbox, maxBytes: null, records: 10_001 } },
    ['outbox-filling'],
  ],
  ['an outbox that overflowed', { drops: { records: 1, at: NOW - 60 * MINUTE } }, ['outbox-dropped']],
  ['an outbox that overflowed long ago', { drops: { records: 9, at: NOW - 61 * MINUTE } }, []],
  ['no stats yet', { outbox: null }, []],
  ['old rules', { rules: { ...rules, inForce: 3 } }, ['rules-not-current']],
  ['no rules', { rules: { ...rules, inForce: null } }, ['rules-not-current']],
  ['old rules of one who has just come', { onlineSince: NOW - 1000, rules: { ...rules, inForce: 3 } }, []],
  ['rules that nobody knows of', { rules: { ...rules, expected: null } }, []],
  ['rules refused', { rules: { ...rules, inForce: 3, error: 'RULES_INVALID' } }, ['rules-rejected']],
  ['a configuration refused', { config: { ...pending, state: 'rejected' } }, ['config-rejected']],
  ['a configuration not in force', { config: pending }, ['config-pending']],
  ['a configuration just told', { config: { ...pending, since: NOW - 1000 } }, []],
  ['a configuration for one who is away', { online: false, config: pending }, ['offline']],
  ['no configuration', { config: { state: 'none', since: null, detail: null } }, []],
]

describe('the health of a device', () => {
  it.each(TABLE)('%s', (_name, change, expected) => {
    const { status, reasons } = healthOf({ ...well, ...change })
    expect(reasons.map(({ code }) => code)).toEqual(expected)
    expect(reasons.every(({ message }) => message !== '')).toBe(true)
    const online = change.online ?? true
    expect(status).toBe(online ? (expected.length > 0 ? 'degraded' : 'healthy') : 'offline')
  })
})
