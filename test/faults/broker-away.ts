// An hour without a broker, on an accelerated clock: what is kept is bounded, what comes back is live first and drained
// at 20 times the live rate or more.
// npx tsx test/faults/broker-away.ts [--long]
import { join } from 'node:path'
import { createLog, exponentialBackoff, fault, nodeTopic } from '@sightline/core'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { agentSettings } from '@sightline/edge-agent/settings.js'
import { Link } from '@sightline/edge-agent/uplink/link.js'
import { Uplink } from '@sightline/edge-agent/uplink/uplink.js'
import { ulid } from 'ulid'
import { AcceleratedClock } from '../support/accelerated-clock.ts'
import { eventually } from '../support/api.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { DeliveryLedger } from '../support/delivery-ledger.ts'
import { HubUnderTest } from '../support/hub-under-test.ts'
import { scratch } from '../support/processes.ts'
import { randomUnit, seededRandom } from '../support/vectors.ts'
import { runAsScript } from './report.ts'

/** Frames a second of the device: ten cameras that each pass one. */
const LIVE_PER_SECOND = 10
const MIN_DRAIN_RATIO = 20
const MIB = 2 ** 20
const DEFAULTS = agentSettings({})
const SPACE = { fingerprint: 'simulated:000000000000', dim: 512 }

export async function brokerAway({ long }: { long: boolean }): Promise<LedgerRow[]> {
  const outageSeconds = long ? 3600 : 100
  return [
    await outage({ outageSeconds, maxBytes: DEFAULTS.outbox.maxBytes }),
    await outage({ outageSeconds, maxBytes: long ? 32 * MIB : MIB }),
  ]
}

async function outage({
  outageSeconds,
  maxBytes,
}: {
  outageSeconds: number
  maxBytes: number
}): Promise<LedgerRow> {
  const space = await scratch()
  const hub = new HubUnderTest(space)
  const clock = new AcceleratedClock()
  const ledger = await DeliveryLedger.open(join(space.dir, 'ledger'))
  const log = createLog({ name: 'device', level: 'silent' })
  const address = { site: 'default', node: 'dock-1' }
  const outbox = await Outbox.open({
    dir: join(space.dir, 'outbox'),
    limits: { maxBytes, minFreeDiskBytes: 0 },
    clock,
    log,
    newId: ulid,
  })
  const vector = randomUnit(SPACE.dim, seededRandom(1))
  const make = async (count: number) => {
    const seqs = await Promise.all(
      Array.from({ length: count }, () =>
        outbox.append({
          fingerprint: SPACE.fingerprint,
          camera: 'yard',
          capturedAt: clock.now(),
          vector,
          verdicts: [],
          thumbnail: undefined,
        }),
      ),
    )
    for (const seq of seqs) {
      ledger.sent(address.node, seq)
      ledger.acknowledged(address.node, [[seq, seq]])
    }
  }
  let uplink: Uplink | undefined
  try {
    await hub.configure()
    await hub.start()
    await hub.stop()
    uplink = connection({ outbox, clock, log, url: hub.mqttUrl, address })
    await uplink.start()
    // An outage is a hundred seconds a turn; every turn is one commit with its flush.
    let peakBytes = 0
    clock.speed = 1000
    for (let seconds = 0; seconds < outageSeconds; seconds += 100) {
      await make(LIVE_PER_SECOND * 100)
      peakBytes = Math.max(peakBytes, outbox.counts.bytes)
    }
    clock.speed = 1
    if (peakBytes > maxBytes) throw fault('INTERNAL', `the outbox grew to ${peakBytes} of ${maxBytes} bytes`)
    const { dropped, records: backlog } = outbox.counts
    await hub.start()
    await eventually('the first of the backlog', async () =>
      outbox.counts.records < backlog ? true : undefined,
    )
    const [startedMs, before] = [clock.monotonic(), outbox.counts.records]
    let live = 0
    const recording = setInterval(() => {
      const due = Math.floor(((clock.monotonic() - startedMs) / 1000) * LIVE_PER_SECOND)
      void make(due - live)
      live = due
    }, 250)
    await eventually(
      'the backlog drained',
      async () => (outbox.counts.records < 20 ? true : undefined),
      600_000,
    )
    clearInterval(recording)
    const seconds = (clock.monotonic() - startedMs) / 1000
    const ratio = before / seconds / LIVE_PER_SECOND
    await eventually('everything delivered', async () => (outbox.counts.records === 0 ? true : undefined))
    await uplink.stop()
    await hub.stop()
    await ledger.close()
    if (dropped === 0 && ratio < MIN_DRAIN_RATIO)
      throw fault('INTERNAL', `drained at only ${ratio} x the live rate`)
    const row = await audit(`broker away for ${outageSeconds / 60} min`, ledger.path, hub.dataDir, isNoEvent)
    const notes = `outbox ${(peakBytes / MIB).toFixed(1)} of ${maxBytes / MIB} MiB; ${dropped} dropped and counted; drained at ${ratio.toFixed(1)} x live`
    return { ...row, acknowledged: row.acknowledged - dropped, lost: row.lost - dropped, notes }
  } finally {
    await uplink?.stop()
    await outbox.close()
    await space.clean()
  }
}

const isNoEvent = () => false

function connection(parts: {
  outbox: Outbox
  clock: AcceleratedClock
  log: ReturnType<typeof createLog>
  url: string
  address: { site: string; node: string }
}): Uplink {
  const { outbox, clock, log, url, address } = parts
  const link = new Link({
    settings: {
      ...DEFAULTS.broker,
      url,
      clientId: `${address.site}~${address.node}`,
      subscriptions: [nodeTopic('ack', address)],
    },
    backoff: exponentialBackoff(500, 30_000),
    clock,
    log,
  })
  return new Uplink({
    address,
    settings: DEFAULTS.uplink,
    space: SPACE,
    outbox,
    link,
    report: {
      state: () => ({
        agent: '0.0.0',
        fingerprint: SPACE.fingerprint,
        provider: 'cpu',
        rulesGroup: 'all',
        rulesVersion: 0,
        configVersion: 0,
        cameras: [],
      }),
      stats: () => ({
        uptimeSeconds: 1,
        framesSeen: 0,
        framesGated: 0,
        framesEmbedded: 0,
        framesFailed: 0,
        outboxRecords: outbox.counts.records,
        outboxBytes: outbox.counts.bytes,
        outboxDropped: outbox.counts.dropped,
        encodeP50Ms: 0,
        decisionP95Ms: 0,
        rssBytes: 1,
        cameras: [],
      }),
    },
    onRules: async () => {},
    clock,
    log,
  })
}

await runAsScript(import.meta.url, brokerAway)
