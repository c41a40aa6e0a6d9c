// kill -9 of a device's outbox and uplink, at random and at the points where it is most awkward.
// npx tsx test/faults/kill-agent.ts [--long]
import { join } from 'node:path'
import { FAIL_POINT_VARIABLE, fault } from '@sightline/core'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { startDevice } from '../support/device.ts'
import { HubUnderTest } from '../support/hub-under-test.ts'
import { scratch } from '../support/processes.ts'
import { seededRandom } from '../support/vectors.ts'
import { runAsScript } from './report.ts'

const MAX_LIFE_MS = 15_000

/** Where the device dies, and after how many passes at most. */
const POINTS = [
  { name: 'at random', passes: 0 },
  { name: 'before commit', passes: 60 },
  { name: 'after commit', passes: 60 },
  { name: 'message sent', passes: 40 },
  { name: 'before trim', passes: 20 },
  { name: 'after trim', passes: 20 },
] as const

export async function killAgent({
  long,
  kills = long ? 200 : 10,
}: {
  long: boolean
  kills?: number
}): Promise<LedgerRow[]> {
  const space = await scratch()
  const random = seededRandom(kills)
  const hub = new HubUnderTest(space)
  const died = new Map<string, number>()
  try {
    await hub.configure()
    await hub.start()
    const spec = {
      node: 'dock-1',
      url: hub.mqttUrl,
      outboxDir: join(space.dir, 'outbox'),
      ledger: join(space.dir, 'ledger'),
      everyMs: 2,
      ...(await hub.space()),
    }
    for (let round = 0; round < kills; round++) {
      const { name, passes } = POINTS[round % POINTS.length]!
      const count = 1 + Math.floor(random() * passes)
      const device = space.own(
        startDevice(spec, passes > 0 ? { [FAIL_POINT_VARIABLE]: `${name}:${count}` } : {}),
      )
      await device.line(/^device ready/).catch(() => {})
      let late = false
      const limitMs = passes > 0 ? MAX_LIFE_MS : 50 + random() * 800
      const timer = setTimeout(() => {
        late = true
        void device.kill()
      }, limitMs)
      await device.exit()
      clearTimeout(timer)
      if (!device.killed) throw fault('INTERNAL', `the device ended by itself: ${device.stderr}`)
      const where = late ? 'at random' : name
      died.set(where, (died.get(where) ?? 0) + 1)
    }
    const last = space.own(startDevice(spec))
    await last.line(/^device ready/)
    if ((await last.stop()) !== 0) throw fault('INTERNAL', `the last device failed: ${last.stderr}`)
    await hub.indexed()
    await hub.stop()
    const notes = [...died].map(([name, count]) => `${count} ${name}`).join(', ')
    const row = await audit(`agent killed ${kills} times`, spec.ledger, hub.dataDir)
    return [{ ...row, notes }]
  } finally {
    await space.clean()
  }
}

await runAsScript(import.meta.url, killAgent)
