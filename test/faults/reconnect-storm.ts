// Every agent loses the hub in the same moment and comes back.
// npx tsx test/faults/reconnect-storm.ts [--long]
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { eventually } from '../support/api.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { DeliveryLedger } from '../support/delivery-ledger.ts'
import { HubUnderTest } from '../support/hub-under-test.ts'
import { scratch } from '../support/processes.ts'
import { SimulatedFleet } from '../support/simulated-fleet.ts'
import { runAsScript } from './report.ts'

const AGENTS = 500
const DRAIN_MS = 120_000

export async function reconnectStorm({ long }: { long: boolean }): Promise<LedgerRow[]> {
  const storms = long ? 10 : 1
  const space = await scratch()
  const hub = new HubUnderTest(space)
  const ledger = await DeliveryLedger.open(join(space.dir, 'ledger'))
  let fleet: SimulatedFleet | undefined
  try {
    await hub.configure()
    await hub.start()
    fleet = new SimulatedFleet({ count: AGENTS, url: hub.mqttUrl, space: await hub.space(), ledger })
    fleet.start()
    await everybodyUp(fleet)
    fleet.record(long ? 1 : 0.5)
    const backMs: number[] = []
    for (let storm = 0; storm < storms; storm++) {
      await new Promise(resolve => setTimeout(resolve, 1000))
      await hub.program.kill()
      await eventually('everybody down', async () => (fleet!.up === 0 ? true : undefined))
      await hub.start()
      const startedMs = performance.now()
      await everybodyUp(fleet)
      backMs.push(performance.now() - startedMs)
    }
    fleet.pause()
    if (!(await fleet.drained(DRAIN_MS)))
      throw fault('INTERNAL', `${fleet.outstanding} were never acknowledged`)
    await hub.indexed()
    await hub.stop()
    await fleet.stop()
    await ledger.close()
    const row = await audit(`${AGENTS} agents come back, ${storms} times`, ledger.path, hub.dataDir)
    return [{ ...row, notes: `all back ${Math.round(Math.max(...backMs))} ms after the hub, at the slowest` }]
  } finally {
    await fleet?.stop()
    await space.clean()
  }
}

async function everybodyUp(fleet: SimulatedFleet): Promise<void> {
  await eventually('everybody connected', async () => (fleet.up === AGENTS ? true : undefined), DRAIN_MS)
}

await runAsScript(import.meta.url, reconnectStorm)
