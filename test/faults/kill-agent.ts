// kill -9 of a device's outbox and uplink, at random and at the points where it is most awkward.
// npx tsx test/faults/kill-agent.ts [--long]
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { Crashes, type CrashPoint, crashing, deathOf } from '../support/crashes.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { startDevice } from '../support/device.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import { seededRandom } from '../support/vectors.ts'
import { runAsScript, type ScenarioOptions } from './report.ts'

/** Where the device dies. */
const POINTS: readonly CrashPoint[] = [
  { name: 'at random', passes: 0 },
  { name: 'before commit', passes: 60 },
  { name: 'after commit', passes: 60 },
  { name: 'message sent', passes: 40 },
  { name: 'before trim', passes: 20 },
  { name: 'after trim', passes: 20 },
]

export function killAgent({
  long,
  progress = () => {},
  kills = long ? 200 : 10,
}: ScenarioOptions & { kills?: number }): Promise<LedgerRow[]> {
  return onFaultStage(async ({ dir, own, hub, over }) => {
    const random = seededRandom(kills)
    const crashes = new Crashes()
    await hub.configure()
    await hub.start()
    const spec = {
      node: 'dock-1',
      url: hub.mqttUrl,
      outboxDir: join(dir, 'outbox'),
      ledger: join(dir, 'device-ledger'),
      everyMs: 2,
      ...(await hub.space()),
    }
    for (let round = 0; round < kills; round++) {
      const point = POINTS[round % POINTS.length]!
      const device = own(startDevice(spec, crashing(point, random)))
      // It may be dead before it is ready.
      await device.line(/^device ready/).catch(() => {})
      crashes.add(await deathOf(device, point, point.passes === 0 ? 50 + random() * 800 : undefined))
      progress(`${crashes.total} of ${kills} killed: ${crashes}`)
    }
    const last = own(startDevice(spec))
    await last.line(/^device ready/)
    if ((await last.stop()) !== 0) throw fault('INTERNAL', `the last device failed: ${last.stderr}`)
    await hub.indexed()
    await over()
    const scenario = `agent killed ${kills} times`
    const row = await audit({ scenario, ledger: spec.ledger, dataDir: hub.dataDir })
    return [{ ...row, notes: crashes.toString() }]
  })
}

await runAsScript(import.meta.url, killAgent)
