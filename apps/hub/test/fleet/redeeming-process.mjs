// Spends tokens beside other processes: node redeeming-process.mjs STORE_DIR, hashes on stdin, those won on stdout.
import { createLog, systemClock } from '@sightline/core'
import { LmdbDeviceRegistry } from '@sightline/hub/fleet/lmdb-device-registry.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'

const log = createLog({ name: 'test', level: 'silent' })
const store = await openLmdbStore({ dir: process.argv[2], clock: systemClock, log, minFreeBytes: 0 })
const registry = new LmdbDeviceRegistry(store.environment)
process.stdout.write('ready\n')
let text = ''
for await (const chunk of process.stdin) text += chunk
const won = []
for (const tokenHash of text.trim().split('\n'))
  await registry.redeem({ tokenHash, secretHash: String(process.pid), now: Date.now() }).then(
    () => won.push(tokenHash),
    () => {},
  )
await store.close()
process.stdout.write(`${JSON.stringify(won)}\n`)
