import type { FleetNode } from './api-types.ts'
import type { EnrolledDevice } from './fleet-api.ts'
import { nodeKey } from './live-store.ts'

export const STANDINGS = ['degraded', 'offline', 'new', 'revoked', 'healthy'] as const
/** new: enrolled, and never heard of. Worst first, as the table sorts them. */
export type Standing = (typeof STANDINGS)[number]

/** One device of the table: it has reported, or it has been enrolled, or both. */
export interface FleetRow {
  /** `site/node`. */
  readonly key: string
  readonly site: string
  readonly node: string
  readonly standing: Standing
  readonly report: FleetNode | undefined
  /** Undefined: it has no credential of its own. */
  readonly enrolled: EnrolledDevice | undefined
}

export const SORTS = ['name', 'standing', 'queue', 'last-data', 'lost'] as const
export type Sort = (typeof SORTS)[number]

export interface FleetQuery {
  /** Part of a name, a site, a model or a provider; empty: all. */
  readonly text: string
  /** As the filters below: empty is all. */
  readonly site: string
  readonly standing: string
  /** Of the agent. */
  readonly version: string
  readonly sort: Sort
}

export const WHOLE_FLEET: FleetQuery = { text: '', site: '', standing: '', version: '', sort: 'name' }

/** As the address has it, so that it outlives a look at one device; what it cannot mean is left out. */
export function fleetQueryOf(params: Readonly<Record<string, string>>): FleetQuery {
  const { text = '', site = '', standing = '', version = '', sort } = params
  return {
    ...{ text, site, version },
    standing: STANDINGS.some(name => name === standing) ? standing : '',
    sort: SORTS.find(name => name === sort) ?? WHOLE_FLEET.sort,
  }
}

/** By name. */
export function fleetRows(nodes: Iterable<FleetNode>, enrolled: readonly EnrolledDevice[]): FleetRow[] {
  const credentials = new Map(enrolled.map(device => [nodeKey(device), device]))
  const rows: FleetRow[] = []
  for (const report of nodes) {
    const key = nodeKey(report)
    rows.push(rowOf(report, { key, report, enrolled: credentials.get(key) }))
    credentials.delete(key)
  }
  for (const [key, device] of credentials)
    rows.push(rowOf(device, { key, report: undefined, enrolled: device }))
  return rows.sort(byName)
}

/** Those that the query names, in its order. */
export function shownRows(rows: readonly FleetRow[], query: FleetQuery): FleetRow[] {
  const words = query.text.toLowerCase().split(/\s+/).filter(Boolean)
  const found = rows.filter(row => {
    if (query.site !== '' && row.site !== query.site) return false
    if (query.standing !== '' && row.standing !== query.standing) return false
    if (query.version !== '' && row.report?.agent !== query.version) return false
    const text = `${row.key} ${row.report?.fingerprint ?? ''} ${row.report?.provider ?? ''}`.toLowerCase()
    return words.every(word => text.includes(word))
  })
  const { sort } = query
  return sort === 'name' ? found : found.sort((a, b) => COMPARE[sort](a, b) || byName(a, b))
}

/** What may be chosen from: sites of all rows, and versions of their agents. */
export function choicesOf(rows: readonly FleetRow[]): { sites: string[]; versions: string[] } {
  const versions = rows.flatMap(({ report }) => report?.agent ?? [])
  return { sites: distinct(rows.map(({ site }) => site)), versions: distinct(versions) }
}

/** Records and thumbnails that a device gave up. */
export function lostBy({ report }: FleetRow): number {
  const { outboxDropped = 0, outboxDroppedThumbnails = 0 } = report?.stats ?? {}
  return outboxDropped + outboxDroppedThumbnails
}

const COMPARE: Readonly<Record<Exclude<Sort, 'name'>, (a: FleetRow, b: FleetRow) => number>> = {
  standing: (a, b) => STANDINGS.indexOf(a.standing) - STANDINGS.indexOf(b.standing),
  queue: (a, b) => waitingOf(b) - waitingOf(a),
  // Longest silence first; one that never sent anything before all others.
  'last-data': (a, b) => lastDataOf(a).localeCompare(lastDataOf(b)),
  lost: (a, b) => lostBy(b) - lostBy(a),
}

function rowOf(
  { site, node }: { readonly site: string; readonly node: string },
  parts: Pick<FleetRow, 'key' | 'report' | 'enrolled'>,
): FleetRow {
  return { site, node, standing: standingOf(parts), ...parts }
}

function standingOf({ report, enrolled }: Pick<FleetRow, 'report' | 'enrolled'>): Standing {
  if (enrolled !== undefined && enrolled.revokedAt !== null) return 'revoked'
  return report === undefined ? 'new' : report.health.status
}

function waitingOf({ report }: FleetRow): number {
  return report?.stats?.outboxRecords ?? -1
}

function lastDataOf({ report }: FleetRow): string {
  return report?.lastDataAt ?? ''
}

const byName = (a: FleetRow, b: FleetRow) => a.key.localeCompare(b.key, 'en', { numeric: true })

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
}
