// Every agent loses the hub in the same moment and comes back.
// npx tsx test/faults/reconnect-storm.ts [--long]
import { eventually } from '../support/api.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import type { SimulatedFleet } from '../support/simulated-fleet.ts'
import { runAsScript, type ScenarioOptions } from './report.ts'

const AGENTS = 500
const MAX_BACK_MS = 300_000

export function reconnectStorm({ long, progress = () => {} }: ScenarioOptions): Promise<LedgerRow[]> {
  const storms = long ? 10 : 1
  return onFaultStage(async stage => {
    const { hub, ledger } = stage
    await hub.configure()
    await hub.start()
    const fleet = await stage.fleet({ count: AGENTS })
    await everybodyUp(fleet)
    progress(`${AGENTS} agents connected`)
    fleet.record(long ? 1 : 0.5)
    const backMs: number[] = []
    for (let storm = 0; storm < storms; storm++) {
      await new Promise(resolve => setTimeout(resolve, 1000))
      await hub.program.kill()
      await eventually('everybody down', async () => (fleet.up === 0 ? true : undefined))
      await hub.start()
      const startedMs = performance.now()
      await everybodyUp(fleet)
      backMs.push(performance.now() - startedMs)
      progress(`storm ${storm + 1} of ${storms}: all back after ${Math.round(backMs.at(-1)!)} ms`)
    }
    await stage.delivered()
    await hub.indexed()
    await stage.over()
    const scenario = `${AGENTS} agents come back, ${storms} times`
    const row = await audit({ scenario, ledger: ledger.path, dataDir: hub.dataDir })
    return [{ ...row, notes: `all back ${Math.round(Math.max(...backMs))} ms after the hub, at the slowest` }]
  })
}

async function everybodyUp(fleet: SimulatedFleet): Promise<void> {
  await eventually('everybody connected', async () => (fleet.up === AGENTS ? true : undefined), MAX_BACK_MS)
}

await runAsScript(import.meta.url, reconnectStorm)
