// A fleet at its work: nothing lost, time to acknowledgement, memory. Then SIGTERM under load.
// npx tsx test/faults/fleet.ts [--long]
import { availableParallelism } from 'node:os'
import { fault } from '@sightline/core'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import { MemoryWatch } from '../support/process-memory.ts'
import { runAsScript, type ScenarioOptions } from './report.ts'

const PER_SECOND = 10
const TELL_EVERY_MS = 10_000
/** The promise is five seconds; the short form runs beside other tests, on machines that are busy. */
const MAX_STOP_MS = { long: 5000, short: 15_000 }
/** Of no model that the hub has, so that its memory is not the index's, which grows with every vector. */
const FINGERPRINT = 'simulated:000000000000'
/** The long form stores 3.6 million: short vectors keep them within some gigabytes. */
const DIM = { long: 64, short: 512 }

export function fleetAtWork({
  long,
  progress = () => {},
  agents = long || availableParallelism() > 4 ? 200 : 50,
  seconds = long ? 1800 : availableParallelism() > 4 ? 60 : 10,
}: ScenarioOptions & { agents?: number; seconds?: number }): Promise<LedgerRow[]> {
  return onFaultStage(async stage => {
    const { hub, ledger } = stage
    await hub.configure()
    await hub.start()
    const space = { fingerprint: FINGERPRINT, dim: long ? DIM.long : DIM.short }
    const fleet = await stage.fleet({ count: agents, space })
    const memory = new MemoryWatch(hub.program.pid)
    fleet.record(PER_SECOND)
    for (const endMs = performance.now() + seconds * 1000; performance.now() < endMs; ) {
      await new Promise(resolve => setTimeout(resolve, Math.min(TELL_EVERY_MS, endMs - performance.now())))
      const { sentCount: sent, acknowledgedCount: acknowledged } = ledger
      progress(`${fleet.up} of ${agents} up; ${sent} sent, ${acknowledged} acknowledged`)
    }
    memory.stop()
    const percentile = (p: number) => `p${p} ${fleet.latencyMs(p).toFixed(0)} ms`
    const times = `ack ${percentile(50)}, ${percentile(99)}`
    // Under load: what it has taken in it stores, the rest stays with the fleet.
    const stopMs = await hub.stop()
    if (stopMs > (long ? MAX_STOP_MS.long : MAX_STOP_MS.short))
      throw fault('INTERNAL', `SIGTERM took ${stopMs} ms`)
    await hub.start()
    await stage.delivered()
    await stage.over()
    const rss = `hub memory ${(memory.peakBytes / 2 ** 20).toFixed(0)} MiB, ${memory.slopeMibPerMinute.toFixed(1)} MiB/min`
    const scenario = `${agents} agents x ${PER_SECOND}/s x ${seconds} s`
    const row = await audit({ scenario, ledger: ledger.path, dataDir: hub.dataDir })
    return [{ ...row, notes: `${times}; ${rss}; SIGTERM under load ${stopMs} ms` }]
  })
}

await runAsScript(import.meta.url, fleetAtWork)
