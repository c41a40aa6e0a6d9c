// Appends for ever and prints the seq of everything that was acknowledged, until it is killed.
import { writeSync } from 'node:fs'
import { createLog, systemClock } from '@sightline/core'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { ulid } from 'ulid'

const outbox = await Outbox.open({
  dir: process.argv[2],
  limits: { maxBytes: 1e9, minFreeDiskBytes: 0 },
  clock: systemClock,
  log: createLog({ name: 'appender', level: 'silent' }),
  newId: ulid,
})
const vector = new Float32Array(512)
vector[0] = 1

async function append() {
  for (;;) {
    const frame = {
      fingerprint: 'm:0123456789ab',
      camera: 'gate',
      capturedAt: Date.now(),
      vector,
      verdicts: [],
    }
    const seq = await outbox.append(frame)
    writeSync(1, `${seq}\n`)
  }
}
await Promise.all([append(), append(), append()])
