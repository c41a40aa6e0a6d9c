// The half of an agent that promises something: outbox and uplink, without camera and model, in a process to be killed.
// node --import tsx device-process.ts JSON. Prints its outbox's counts; SIGTERM: it makes no more records, waits until
// the hub has everything, and ends.
import { fdatasyncSync, openSync, writeSync } from 'node:fs'
import {
  createLog,
  exponentialBackoff,
  FAIL_POINT_VARIABLE,
  failPointFrom,
  isFault,
  systemClock,
} from '@sightline/core'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { ulid } from 'ulid'
import { deviceUplink } from './device-uplink.ts'
import { incidentId, isEvent } from './simulated-records.ts'
import { randomUnit, seededRandom } from './vectors.ts'

export interface DeviceSpec {
  readonly node: string
  readonly url: string
  readonly outboxDir: string
  readonly ledger: string
  readonly fingerprint: string
  readonly dim: number
  readonly everyMs: number
  readonly maxBytes?: number
  readonly minFreeDiskBytes?: number
}

const spec = JSON.parse(process.argv[2]!) as DeviceSpec
const failPoint = failPointFrom(process.env[FAIL_POINT_VARIABLE])
const log = createLog({ name: 'device', level: 'error' })
const clock = systemClock
const address = { site: 'default', node: spec.node }
const space = { fingerprint: spec.fingerprint, dim: spec.dim }
const { maxBytes = 2 ** 30, minFreeDiskBytes = 0 } = spec

const outbox = await Outbox.open({
  dir: spec.outboxDir,
  limits: { maxBytes, minFreeDiskBytes },
  clock,
  log,
  newId: ulid,
  failPoint,
})
const uplink = deviceUplink({
  address,
  space,
  outbox,
  url: spec.url,
  keepaliveSeconds: 10,
  connectTimeoutSeconds: 5,
  settings: {
    window: 4,
    batchItems: 32,
    batchBytes: 2 ** 20,
    ackTimeoutSeconds: 2,
    replayPerSecond: 2000,
    replayShare: 1,
    statsSeconds: 60,
    drainSeconds: 1,
  },
  backoff: exponentialBackoff(50, 500),
  clock,
  failPoint,
})

const ledger = openSync(spec.ledger, 'a')
const vector = randomUnit(spec.dim, seededRandom(7))
let stopping = false
let refused = 0
process.on('SIGTERM', () => {
  stopping = true
})
await uplink.start()
process.stdout.write('device ready\n')
const telling = setInterval(tell, 100)
while (!stopping) {
  await record()
  await clock.sleep(spec.everyMs)
}
while (outbox.counts.records > 0 || outbox.skipped(1).length > 0) await clock.sleep(20)
clearInterval(telling)
tell()
await uplink.stop()
await outbox.close()

/** Acknowledged is here what the outbox has taken: from then on the camera's frame is gone and the promise given. */
async function record(): Promise<void> {
  const seq = outbox.next
  writeSync(ledger, `S ${spec.node} ${seq} ${seq}\n`)
  try {
    if (isEvent(seq)) await outbox.appendEvents([incident(seq)])
    else {
      const capturedAt = 1_700_000_000_000 + seq
      await outbox.append({
        fingerprint: spec.fingerprint,
        camera: 'yard',
        capturedAt,
        vector,
        verdicts: [],
        thumbnail: undefined,
      })
    }
    writeSync(ledger, `A ${spec.node} ${seq} ${seq}\n`)
    fdatasyncSync(ledger)
  } catch (error) {
    if (!isFault(error, 'STORE_FAILED')) throw error
    refused++
  }
}

function incident(seq: number) {
  const at = 1_700_000_000_000 + seq
  return {
    phase: 'end' as const,
    incident: incidentId(spec.node, seq),
    rule: 'fire',
    ruleName: 'Fire',
    rulesVersion: 1,
    severity: 'high' as const,
    camera: 'yard',
    at,
    startedAt: at,
    score: 0.9,
    peakScore: 0.9,
    frames: 1,
    bestFrame: Math.max(1, seq - 1),
  }
}

function tell(): void {
  process.stdout.write(`${JSON.stringify({ ...outbox.counts, refused })}\n`)
}
