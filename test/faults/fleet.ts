// A fleet at its work: nothing lost, time to acknowledgement, memory. Then SIGTERM under load.
// npx tsx test/faults/fleet.ts [--long]
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { DeliveryLedger } from '../support/delivery-ledger.ts'
import { HubUnderTest } from '../support/hub-under-test.ts'
import { MemoryWatch } from '../support/process-memory.ts'
import { scratch } from '../support/processes.ts'
import { SimulatedFleet } from '../support/simulated-fleet.ts'
import { runAsScript } from './report.ts'

const PER_SECOND = 10
const DRAIN_MS = 120_000
/** The promise is five seconds; the short form runs beside other tests, on machines that are busy. */
const MAX_STOP_MS = { long: 5000, short: 15_000 }
/** Of no model that the hub has, so that its memory is not the index's, which grows with every vector. */
const SPACE = { fingerprint: 'simulated:000000000000', dim: 512 }

export async function fleetAtWork({
  long,
  agents = long || availableParallelism() > 4 ? 200 : 50,
  seconds = long ? 1800 : availableParallelism() > 4 ? 60 : 10,
}: {
  long: boolean
  agents?: number
  seconds?: number
}): Promise<LedgerRow[]> {
  const space = await scratch()
  const hub = new HubUnderTest(space)
  const ledger = await DeliveryLedger.open(join(space.dir, 'ledger'))
  let fleet: SimulatedFleet | undefined
  try {
    await hub.configure()
    await hub.start()
    fleet = new SimulatedFleet({ count: agents, url: hub.mqttUrl, space: SPACE, ledger })
    fleet.start()
    const memory = new MemoryWatch(hub.program.pid)
    fleet.record(PER_SECOND)
    await new Promise(resolve => setTimeout(resolve, seconds * 1000))
    memory.stop()
    const percentile = (p: number) => `p${p} ${fleet!.latencyMs(p).toFixed(0)} ms`
    const times = `ack ${percentile(50)}, ${percentile(99)}`
    // Under load: what it has taken in it stores, the rest stays with the fleet.
    const stopMs = await hub.stop()
    if (stopMs > (long ? MAX_STOP_MS.long : MAX_STOP_MS.short))
      throw fault('INTERNAL', `SIGTERM took ${stopMs} ms`)
    fleet.pause()
    await hub.start()
    if (!(await fleet.drained(DRAIN_MS)))
      throw fault('INTERNAL', `${fleet.outstanding} were never acknowledged`)
    await hub.stop()
    await fleet.stop()
    await ledger.close()
    const rss = `hub RSS ${(memory.peakBytes / 2 ** 20).toFixed(0)} MiB, ${memory.slopeMibPerMinute.toFixed(1)} MiB/min`
    const row = await audit(`${agents} agents x ${PER_SECOND}/s x ${seconds} s`, ledger.path, hub.dataDir)
    return [{ ...row, notes: `${times}; ${rss}; SIGTERM under load ${stopMs} ms` }]
  } finally {
    await fleet?.stop()
    await space.clean()
  }
}

await runAsScript(import.meta.url, fleetAtWork)
