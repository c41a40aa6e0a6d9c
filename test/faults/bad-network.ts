// 30 % loss, two seconds of latency, and partitions in the middle of an acknowledgement.
// npx tsx test/faults/bad-network.ts [--long]
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { DeliveryLedger } from '../support/delivery-ledger.ts'
import { startDevice } from '../support/device.ts'
import { HubUnderTest } from '../support/hub-under-test.ts'
import { scratch } from '../support/processes.ts'
import { SimulatedFleet } from '../support/simulated-fleet.ts'
import { CLEAR, TcpProxy } from '../support/tcp-proxy.ts'
import { seededRandom } from '../support/vectors.ts'
import { runAsScript } from './report.ts'

const AGENTS = 10
const PER_SECOND = 5
const DRAIN_MS = 180_000

/** Latency is one way: two seconds there and back. The short form is ten times as fast, time-outs included. */
const LONG = { scale: 1, seconds: 120, partitions: 6 }
const SHORT = { scale: 0.1, seconds: 5, partitions: 3 }

export async function badNetwork({ long }: { long: boolean }): Promise<LedgerRow[]> {
  const { scale, seconds, partitions } = long ? LONG : SHORT
  const space = await scratch()
  const hub = new HubUnderTest(space)
  const ledger = await DeliveryLedger.open(join(space.dir, 'ledger'))
  let fleet: SimulatedFleet | undefined
  let proxy: TcpProxy | undefined
  try {
    await hub.configure()
    await hub.start()
    proxy = await new TcpProxy({ targetPort: hub.mqttPort, random: seededRandom(30) }).start()
    const settings = { ackTimeoutMs: 15_000 * scale, keepaliveSeconds: 20 }
    const url = `mqtt://127.0.0.1:${proxy.port}`
    fleet = new SimulatedFleet({ count: AGENTS, url, space: await hub.space(), ledger, settings })
    fleet.start()
    // Beside them the product's own outbox and uplink.
    const spec = {
      node: 'dock-1',
      url,
      outboxDir: join(space.dir, 'outbox'),
      ledger: join(space.dir, 'device-ledger'),
      everyMs: 1000 / PER_SECOND,
      ...(await hub.space()),
    }
    const device = space.own(startDevice(spec))
    await device.line(/^device ready/)
    fleet.record(PER_SECOND)
    proxy.weather = { latencyMs: 1000 * scale, loss: 0.3, retransmitMs: 200 * scale, maxLosses: 3 }
    await pause(seconds * 1000)
    const { stalled, broken } = proxy.stats
    proxy.weather = { ...CLEAR, latencyMs: 50 * scale }
    for (let i = 0; i < partitions; i++) {
      await pause(5000 * scale)
      // Messages get through, their acknowledgements do not; then the connection is gone.
      proxy.split(i % 3 === 2 ? 'both' : 'to client')
      await pause(10_000 * scale)
      if (i % 3 !== 1) proxy.cut()
      proxy.split('none')
    }
    fleet.pause()
    if (!(await fleet.drained(DRAIN_MS)))
      throw fault('INTERNAL', `${fleet.outstanding} were never acknowledged`)
    if ((await device.stop()) !== 0) throw fault('INTERNAL', `the device failed: ${device.stderr}`)
    const { duplicates } = (await hub.api.get<{ ingest: { duplicates: number } }>('/system')).ingest
    await hub.indexed()
    await hub.stop()
    await fleet.stop()
    await ledger.close()
    const notes = `${stalled} segments stalled, ${broken} connections broken, ${partitions} partitions; ${duplicates} sent again and stored once`
    return [
      { ...(await audit('30 % loss, latency, partitions', ledger.path, hub.dataDir)), notes },
      await audit('the same for an outbox', spec.ledger, hub.dataDir),
    ]
  } finally {
    await fleet?.stop()
    await proxy?.stop()
    await space.clean()
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}

await runAsScript(import.meta.url, badNetwork)
