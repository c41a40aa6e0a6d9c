/** Pure, and without a dependency on the store: whoever has the facts, a hub or a page, gets the same answer. */

export const HEALTH_REASONS = [
  'offline',
  'starting',
  'camera-failed',
  'no-data',
  'clock-skew',
  'outbox-filling',
  'outbox-dropped',
  'rules-not-current',
  'rules-rejected',
  'config-rejected',
  'config-pending',
] as const
export type HealthReason = (typeof HEALTH_REASONS)[number]

export interface Health {
  /** A device that is online may be of no use all the same, and one that is offline goes on recording. */
  readonly status: 'healthy' | 'degraded' | 'offline'
  readonly reasons: readonly { readonly code: HealthReason; readonly message: string }[]
}

export interface HealthFacts {
  /** Hub time, as all times here: milliseconds since the epoch. */
  readonly now: number
  readonly online: boolean
  readonly onlineSince: number | null
  readonly lastDataAt: number | null
  /** What the device does before it can judge frames. */
  readonly starting: string | null
  readonly cameras: readonly { readonly camera: string; readonly status: string; readonly error?: string }[]
  /** Clock of the hub less that of the device, when it last said the time. */
  readonly clockSkewMs: number | null
  readonly outbox: {
    readonly records: number
    readonly bytes: number
    /** Null: the device does not say. */
    readonly maxBytes: number | null
  } | null
  /** What its outbox gave up for want of space when that was last heard of; null: nothing, as far as is known. */
  readonly drops: Drops | null
  readonly rules: {
    readonly inForce: number | null
    /** Null: nobody knows. */
    readonly expected: number | null
    readonly error: string | null
  }
  readonly config: {
    readonly state: DriftState
    readonly since: number | null
    readonly detail: string | null
  }
}

/** One shortage of space: no two reports of records given up lie further apart than `DROPS_MS`. */
export interface Drops {
  readonly records: number
  /** When it was last heard that there were more. */
  readonly at: number
}

/** none: nothing is desired. unknown: it was never reported. */
export const DRIFT_STATES = ['none', 'in-sync', 'pending', 'rejected', 'unknown'] as const
export type DriftState = (typeof DRIFT_STATES)[number]

/** A frame passes the gate once a minute by default, however still the scene; five minutes at most. */
const NO_DATA_MS = 10 * 60_000
const CLOCK_SKEW_MS = 5000
/** Of the outbox's room; or of records, where its room is not known. */
const OUTBOX_SHARE = 0.5
const OUTBOX_RECORDS = 10_000
/** Records are given up when an outage is too long: so long somebody should hear of it, and no longer. */
export const DROPS_MS = 60 * 60_000
/** A device that has just come, or has just been told, gets this long. */
const GRACE_MS = 60_000

export function healthOf(facts: HealthFacts): Health {
  const reasons: { code: HealthReason; message: string }[] = []
  const note = (code: HealthReason, message: string) => reasons.push({ code, message })
  const { now, online, cameras, clockSkewMs, outbox, drops, rules, config } = facts
  const settled = facts.onlineSince !== null && now - facts.onlineSince >= GRACE_MS

  if (!online) note('offline', 'not connected')
  if (facts.starting !== null) note('starting', facts.starting)
  for (const { camera, status, error } of cameras) {
    if (status === 'failed') note('camera-failed', `${camera}: ${error ?? 'gives no frames'}`)
  }
  if (online && cameras.length > 0 && facts.starting === null) {
    const since = Math.max(facts.lastDataAt ?? 0, facts.onlineSince ?? 0)
    if (now - since > NO_DATA_MS)
      note('no-data', `no frame for ${minutes(now - (facts.lastDataAt ?? since))}`)
  }
  if (clockSkewMs !== null && Math.abs(clockSkewMs) > CLOCK_SKEW_MS) {
    const way = clockSkewMs > 0 ? 'behind' : 'ahead'
    note('clock-skew', `its clock is ${Math.round(Math.abs(clockSkewMs) / 1000)} s ${way}`)
  }
  if (outbox !== null) {
    const { records, bytes, maxBytes } = outbox
    if (maxBytes === null ? records > OUTBOX_RECORDS : bytes > OUTBOX_SHARE * maxBytes)
      note('outbox-filling', `${records} records wait`)
  }
  if (drops !== null && now - drops.at <= DROPS_MS)
    note(
      'outbox-dropped',
      `records dropped for want of space: ${drops.records}, the last ${minutes(now - drops.at)} ago`,
    )
  if (rules.error !== null) note('rules-rejected', rules.error)
  else if (online && settled && rules.expected !== null && rules.inForce !== rules.expected)
    note('rules-not-current', `rules ${rules.inForce ?? 'none'} instead of ${rules.expected}`)
  if (config.state === 'rejected') note('config-rejected', config.detail ?? 'the configuration was rejected')
  const told = config.since !== null && now - config.since >= GRACE_MS
  if (online && settled && told && (config.state === 'pending' || config.state === 'unknown'))
    note('config-pending', config.detail ?? 'the configuration is not in force yet')

  return { status: !online ? 'offline' : reasons.length > 0 ? 'degraded' : 'healthy', reasons }
}

function minutes(ms: number): string {
  const whole = Math.round(ms / 60_000)
  return whole < 120 ? `${whole} min` : `${Math.round(whole / 60)} h`
}
