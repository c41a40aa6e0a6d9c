// An hour without a broker, on an accelerated clock: what is kept is bounded, what comes back is live first and drained
// at 20 times the live rate or more.
// npx tsx test/faults/broker-away.ts [--long]
import { join } from 'node:path'
import { createLog, exponentialBackoff, fault } from '@sightline/core'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { agentSettings } from '@sightline/edge-agent/settings.js'
import { ulid } from 'ulid'
import { AcceleratedClock } from '../support/accelerated-clock.ts'
import { eventually } from '../support/api.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { deviceUplink } from '../support/device-uplink.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import { randomUnit, seededRandom } from '../support/vectors.ts'
import { type Progress, runAsScript, type ScenarioOptions } from './report.ts'

/** Frames a second of the device: ten cameras that each pass one. */
const LIVE_PER_SECOND = 10
const MIN_DRAIN_RATIO = 20
/** During the outage; what is made in between two looks at the clock goes into one commit. */
const SPEED = 200
const MIB = 2 ** 20
const DEFAULTS = agentSettings({})
const SPACE = { fingerprint: 'simulated:000000000000', dim: 512 }
const ADDRESS = { site: 'default', node: 'dock-1' }

export async function brokerAway({ long, progress = () => {} }: ScenarioOptions): Promise<LedgerRow[]> {
  const outageSeconds = long ? 3600 : 60
  // The attempts after the outage run in real time.
  const maxBackoffMs = long ? 30_000 : 1000
  // The drain runs in real time: what a busy machine makes of it in a test says nothing of the device.
  const minDrainRatio = long ? MIN_DRAIN_RATIO : 0
  const given = { outageSeconds, maxBackoffMs, progress }
  return [
    await outage({ ...given, maxBytes: DEFAULTS.outbox.maxBytes, minDrainRatio }),
    await outage({ ...given, maxBytes: long ? 32 * MIB : MIB, minDrainRatio: 0 }),
  ]
}

interface Outage {
  readonly outageSeconds: number
  readonly maxBackoffMs: number
  readonly maxBytes: number
  /** Backlog drained per second, as a multiple of what is recorded meanwhile. */
  readonly minDrainRatio: number
  readonly progress: Progress
}

function outage({
  outageSeconds,
  maxBackoffMs,
  maxBytes,
  minDrainRatio,
  progress,
}: Outage): Promise<LedgerRow> {
  return onFaultStage(async ({ dir, hub, ledger, over }) => {
    await hub.configure()
    await hub.start()
    await hub.stop()
    const clock = new AcceleratedClock()
    const log = createLog({ name: 'device', level: 'silent' })
    const limits = { maxBytes, minFreeDiskBytes: 0 }
    const outbox = await Outbox.open({ dir: join(dir, 'outbox'), limits, clock, log, newId: ulid })
    const uplink = deviceUplink({
      ...DEFAULTS.broker,
      url: hub.mqttUrl,
      address: ADDRESS,
      space: SPACE,
      outbox,
      settings: DEFAULTS.uplink,
      backoff: exponentialBackoff(500, maxBackoffMs),
      clock,
    })
    const make = recorder(outbox, clock, seq => {
      ledger.sent(ADDRESS.node, seq)
      ledger.acknowledged(ADDRESS.node, [[seq, seq]])
    })
    try {
      await uplink.start()
      let peakBytes = 0
      clock.speed = SPEED
      const [downMs, toldMs] = [clock.monotonic(), outageSeconds * 100]
      for (let made = 0, told = toldMs; ; ) {
        const awayMs = clock.monotonic() - downMs
        const due = Math.floor(Math.min(awayMs / 1000, outageSeconds) * LIVE_PER_SECOND)
        await make(due - made)
        made = due
        peakBytes = Math.max(peakBytes, outbox.counts.bytes)
        if (awayMs >= told) {
          progress(`${(awayMs / 1000).toFixed(0)} s without broker, ${outbox.counts.records} records wait`)
          told += toldMs
        }
        if (awayMs >= outageSeconds * 1000) break
        await clock.sleep(5000)
      }
      clock.speed = 1
      if (peakBytes > maxBytes)
        throw fault('INTERNAL', `the outbox grew to ${peakBytes} of ${maxBytes} bytes`)
      const { dropped, records: backlog } = outbox.counts
      await hub.start()
      await eventually('the first of the backlog', async () =>
        outbox.counts.records < backlog ? true : undefined,
      )
      const [startedMs, before] = [clock.monotonic(), outbox.counts.records]
      let live = 0
      const recording = setInterval(() => {
        const seconds = (clock.monotonic() - startedMs) / 1000
        const due = Math.floor(seconds * LIVE_PER_SECOND)
        void make(due - live)
        live = due
      }, 250)
      const telling = setInterval(() => progress(`${outbox.counts.records} still wait`), 10_000)
      await eventually(
        'the backlog drained',
        async () => (outbox.counts.records < 20 ? true : undefined),
        600_000,
      ).finally(() => {
        clearInterval(recording)
        clearInterval(telling)
      })
      const seconds = (clock.monotonic() - startedMs) / 1000
      const ratio = before / seconds / LIVE_PER_SECOND
      await eventually('everything delivered', async () => (outbox.counts.records === 0 ? true : undefined))
      await uplink.stop()
      await over()
      if (ratio < minDrainRatio)
        throw fault('INTERNAL', `drained at only ${ratio.toFixed(1)} x the live rate`)
      const scenario = `broker away for ${outageSeconds} s`
      const row = await audit({
        scenario,
        ledger: ledger.path,
        dataDir: hub.dataDir,
        incidentOf: () => undefined,
      })
      const notes = `outbox ${(peakBytes / MIB).toFixed(1)} of ${maxBytes / MIB} MiB; ${dropped} dropped and counted; drained at ${ratio.toFixed(1)} x live`
      return { ...row, acknowledged: row.acknowledged - dropped, lost: row.lost - dropped, notes }
    } finally {
      await uplink.stop()
      await outbox.close()
    }
  })
}

/** Makes frames, as many as it is told, in one commit. */
function recorder(outbox: Outbox, clock: AcceleratedClock, onStored: (seq: number) => void) {
  const vector = randomUnit(SPACE.dim, seededRandom(1))
  return async (count: number) => {
    const frame = () => ({
      fingerprint: SPACE.fingerprint,
      camera: 'yard',
      capturedAt: clock.now(),
      vector,
      verdicts: [],
    })
    for (const seq of await Promise.all(Array.from({ length: count }, () => outbox.append(frame())))) {
      onStored(seq)
    }
  }
}

await runAsScript(import.meta.url, brokerAway)
