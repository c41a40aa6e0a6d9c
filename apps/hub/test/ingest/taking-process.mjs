// Broker, ingest and store in a process of their own, to be killed: node taking-process.mjs STORE_DIR
import { createLog, systemClock } from '@sightline/core'
import { Broker } from '@sightline/hub/broker/broker.js'
import { Ingest } from '@sightline/hub/ingest/ingest.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'

const log = createLog({ name: 'hub', level: 'warn' })
const clock = systemClock
const store = await openLmdbStore({ dir: process.argv[2], clock, log, minFreeBytes: 0 })
const ingest = new Ingest({ store, publish: message => broker.publish(message), clock, log })
const settings = {
  host: '127.0.0.1',
  port: 0,
  maxPacketBytes: 2 ** 20,
  maxConnections: 10,
  maxConnectionsPerAddress: 10,
}
const broker = new Broker({ settings, ingest, log })
await broker.start()
process.stdout.write(`${broker.port}\n`)
