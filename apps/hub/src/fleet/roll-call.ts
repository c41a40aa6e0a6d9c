import { isFault, type Log, type Service } from '@sightline/core'
import type { RecordStore } from '../store/record-store.ts'

/**
 * A hub that was killed heard no wills: devices that left meanwhile would count as online for ever. So every device
 * starts offline, and reports itself when it connects. To be started before the broker.
 */
export class RollCall implements Service {
  readonly name = 'roll call'
  readonly #store: RecordStore
  readonly #log: Log

  constructor({ store, log }: { store: RecordStore; log: Log }) {
    this.#store = store
    this.#log = log
  }

  /** A store that takes nothing at present, as on a full disk, must not keep the hub from answering searches. */
  async start(): Promise<void> {
    const stale = this.#store
      .nodes()
      .flatMap(({ site, node, lastSeenAt: seenAt, state }) =>
        state?.online ? [{ site, node, seenAt, state: { ...state, online: false } }] : [],
      )
    try {
      await Promise.all(stale.map(({ site, node, ...change }) => this.#store.updateNode(site, node, change)))
    } catch (err) {
      if (!isFault(err, 'STORE_FAILED')) throw err
      return this.#log.error({ err }, 'nodes of the last run may seem online until they report')
    }
    if (stale.length > 0) this.#log.info({ nodes: stale.length }, 'nodes offline until they report')
  }

  async stop(): Promise<void> {}
}
