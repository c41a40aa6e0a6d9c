import type { Clock, NodeState } from '@sightline/core'
import type { Ingest } from '../ingest/ingest.ts'
import type { Distributor } from '../rules/distributor.ts'
import type { NodeRecord } from '../store/record-store.ts'
import { DROPS_MS, type DriftState, type Drops, type Health, healthOf } from './health.ts'
import type { Shadow } from './shadow.ts'

export interface FleetHealthOptions {
  readonly ingest: Pick<Ingest, 'on'>
  readonly shadow: Pick<Shadow, 'drift' | 'issued'>
  readonly rules: Pick<Distributor, 'versionFor'>
  /** As they last reported: what counters have grown by since is news. */
  readonly known: Iterable<NodeRecord>
  readonly clock: Clock
}

export interface ConfigStanding {
  /** Null: nothing is desired. */
  readonly desired: number | null
  /** 0: its own settings alone; null: it has not said. */
  readonly inForce: number | null
  readonly drift: DriftState
}

/** What was noticed of a device while this hub ran; all but the drops comes again with its next state and stats. */
interface Noticed {
  stateAt: number | undefined
  statsAt: number | undefined
  skewMs: number | null
  onlineSince: number | null
  /** Of its outbox, since that was made; undefined: it has never said. */
  dropped: number | undefined
  drops: Drops | null
}

const nothing = (): Noticed => ({
  ...{ stateAt: undefined, statsAt: undefined, skewMs: null, onlineSince: null },
  ...{ dropped: undefined, drops: null },
})

/** Gathers the facts of every device's health. */
export class FleetHealth {
  readonly #options: FleetHealthOptions
  readonly #noticed = new Map<string, Noticed>()

  constructor(options: FleetHealthOptions) {
    this.#options = options
    for (const record of options.known)
      this.#noticed.set(keyOf(record), { ...nothing(), dropped: record.stats?.outboxDropped })
    options.ingest.on('node', record => this.#notice(record))
  }

  of(record: NodeRecord): Health {
    const { shadow, rules, clock } = this.#options
    const { state, stats, lastDataAt } = record
    const noticed = this.#noticed.get(keyOf(record))
    const cameras = (stats !== null && state !== null && stats.at > state.at ? stats : state)?.cameras ?? []
    return healthOf({
      now: clock.now(),
      online: state?.online ?? false,
      onlineSince: noticed?.onlineSince ?? null,
      lastDataAt,
      starting: startingText(state),
      cameras,
      clockSkewMs: noticed?.skewMs ?? null,
      outbox: stats && {
        records: stats.outboxRecords,
        bytes: stats.outboxBytes,
        maxBytes: stats.outboxMaxBytes ?? null,
      },
      drops: noticed?.drops ?? null,
      rules: {
        inForce: state?.rulesVersion ?? null,
        expected: rules.versionFor(record),
        error: state?.rulesError ?? null,
      },
      config: shadow.drift(record),
    })
  }

  /** Versions of its configuration. */
  config(record: NodeRecord): ConfigStanding {
    const { shadow } = this.#options
    return {
      desired: shadow.issued(record)?.version ?? null,
      inForce: record.state?.configVersion ?? null,
      drift: shadow.drift(record).state,
    }
  }

  /** The device says the time in its state and stats; the hub's own is that of the newest message, which is this one. */
  #notice(record: NodeRecord): void {
    const { state, stats, lastSeenAt } = record
    const key = keyOf(record)
    const online = state?.online ?? false
    const noticed = this.#noticed.get(key) ?? nothing()
    if (!online) noticed.onlineSince = null
    else noticed.onlineSince ??= lastSeenAt
    // A will was written when the connection began.
    if (online && state !== null && state.at !== noticed.stateAt) noticed.skewMs = lastSeenAt - state.at
    else if (stats !== null && stats.at !== noticed.statsAt) noticed.skewMs = lastSeenAt - stats.at
    if (stats !== null) noticed.drops = dropsOf(noticed, stats.outboxDropped, lastSeenAt)
    noticed.dropped = stats?.outboxDropped
    noticed.stateAt = state?.at
    noticed.statsAt = stats?.at
    this.#noticed.set(key, noticed)
  }
}

/** The outbox counts through restarts of the agent; a count that went back is of a new outbox. */
function dropsOf({ dropped: before, drops }: Noticed, dropped: number, at: number): Drops | null {
  // What was lost before the first report that is known may have been lost at any time.
  if (before === undefined || dropped === before) return drops
  const more = dropped > before ? dropped - before : dropped
  if (more === 0) return drops
  const goesOn = drops !== null && at - drops.at <= DROPS_MS
  return { records: (goesOn ? drops.records : 0) + more, at }
}

/** A device that is away starts nothing, unless it left because it could not: its will is from when it connected. */
function startingText(state: NodeState | null): string | null {
  const starting = state?.starting
  if (starting === undefined || !(state?.online || starting.error !== undefined)) return null
  return starting.error ?? starting.detail ?? starting.phase
}

function keyOf({ site, node }: NodeRecord): string {
  return `${site}~${node}`
}
