import type { Tables } from './lmdb-tables.ts'
import type { NodeRecord } from './record-store.ts'

export type NodeChange = Pick<NodeRecord, 'site' | 'node' | 'lastSeenAt'> &
  Partial<Pick<NodeRecord, 'lastDataAt' | 'state' | 'stats'>>

/** Inside a transaction: merges the change into what is known of the node. */
export function touchNode({ nodes }: Tables, change: NodeChange): void {
  const { site, node, lastSeenAt } = change
  const key = `${site}~${node}`
  const known = nodes.get(key) ?? {
    firstSeenAt: lastSeenAt,
    lastSeenAt,
    lastDataAt: null,
    state: null,
    stats: null,
  }
  nodes.put(key, { ...known, ...change, lastSeenAt: Math.max(known.lastSeenAt, lastSeenAt) })
}
