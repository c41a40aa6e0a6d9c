// A disk that fills up, under the hub and under a device.
// npx tsx test/faults/disk-full.ts [--long]
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { eventually } from '../support/api.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { DeliveryLedger } from '../support/delivery-ledger.ts'
import { countsOf, startDevice } from '../support/device.ts'
import { HubUnderTest } from '../support/hub-under-test.ts'
import { scratch } from '../support/processes.ts'
import { SimulatedFleet } from '../support/simulated-fleet.ts'
import { smallDisk } from '../support/small-disk.ts'
import { runAsScript } from './report.ts'

const DRAIN_MS = 120_000
const MIB = 2 ** 20

export async function diskFull({ long }: { long: boolean }): Promise<LedgerRow[]> {
  const rounds = long ? 20 : 1
  return [await underTheHub(rounds), await underTheDevice(rounds)]
}

/** Full twice a round: while the hub runs, and again while it starts. */
async function underTheHub(rounds: number): Promise<LedgerRow> {
  const space = await scratch()
  const disk = await smallDisk(join(space.dir, 'disk'))
  const hub = new HubUnderTest({ dir: disk.dir, own: space.own })
  const ledger = await DeliveryLedger.open(join(space.dir, 'ledger'))
  let fleet: SimulatedFleet | undefined
  try {
    await hub.configure({ store: { minFreeBytes: disk.minFreeBytes } })
    await hub.start()
    const settings = { ackTimeoutMs: 500 }
    fleet = new SimulatedFleet({ count: 4, url: hub.mqttUrl, space: await hub.space(), ledger, settings })
    fleet.start()
    fleet.record(25)
    await ledgerGrows(ledger)
    for (let round = 0; round < rounds; round++) {
      await disk.fill(disk.minFreeBytes - MIB)
      await healthIs(hub, 'degraded')
      await disk.fill(0)
      await goesOnAnswering(hub)
      await hub.stop()
      if (!(await hub.start())) throw fault('INTERNAL', 'the hub does not start on a full disk')
      await healthIs(hub, 'degraded')
      await disk.empty()
      await healthIs(hub, 'ok')
      await ledgerGrows(ledger)
    }
    fleet.pause()
    if (!(await fleet.drained(DRAIN_MS)))
      throw fault('INTERNAL', `${fleet.outstanding} were never acknowledged`)
    await hub.indexed()
    await hub.stop()
    await fleet.stop()
    await ledger.close()
    const row = await audit(`disk of the hub full, ${rounds} times`, ledger.path, hub.dataDir)
    return { ...row, notes: `${disk.kind}; degraded, then resumed by itself` }
  } finally {
    await fleet?.stop()
    await disk.remove()
    await space.clean()
  }
}

async function underTheDevice(rounds: number): Promise<LedgerRow> {
  const space = await scratch()
  const disk = await smallDisk(join(space.dir, 'disk'))
  const hub = new HubUnderTest(space)
  try {
    await hub.configure()
    await hub.start()
    const ledger = join(space.dir, 'ledger')
    const spec = {
      node: 'dock-1',
      url: hub.mqttUrl,
      outboxDir: join(disk.dir, 'outbox'),
      ledger,
      minFreeDiskBytes: disk.minFreeBytes,
      everyMs: 2,
      ...(await hub.space()),
    }
    const device = space.own(startDevice(spec))
    await device.line(/^device ready/)
    for (let round = 0; round < rounds; round++) {
      await hub.program.kill()
      const { dropped } = countsOf(device) ?? { dropped: 0 }
      await disk.fill(disk.minFreeBytes - MIB)
      await eventually('drops, counted', async () => {
        if (!device.running) throw fault('INTERNAL', `the device died: ${device.stderr}`)
        return (countsOf(device)?.dropped ?? 0) > dropped + 20 ? true : undefined
      })
      await disk.fill(0)
      const { dropped: before } = countsOf(device)!
      await eventually('it goes on', async () =>
        (countsOf(device)?.dropped ?? 0) > before + 20 ? true : undefined,
      )
      await disk.empty()
      await hub.start()
      await eventually('the backlog delivered', async () =>
        (countsOf(device)?.records ?? 9) < 9 ? true : undefined,
      )
    }
    if ((await device.stop()) !== 0) throw fault('INTERNAL', `the device failed: ${device.stderr}`)
    const { dropped, refused } = countsOf(device)!
    await hub.indexed()
    await hub.stop()
    const row = await audit(`disk of a device full, ${rounds} times`, ledger, hub.dataDir)
    // What the outbox gave up it counted: what is missing beyond that is lost.
    const evicted = dropped - refused
    const notes = `${disk.kind}; ${evicted} dropped and counted, oldest first; ${refused} refused`
    return { ...row, acknowledged: row.acknowledged - evicted, lost: row.lost - evicted, notes }
  } finally {
    await disk.remove()
    await space.clean()
  }
}

async function ledgerGrows(ledger: DeliveryLedger): Promise<void> {
  const before = ledger.acknowledgedCount
  await eventually('acknowledgements', async () =>
    ledger.acknowledgedCount > before + 200 ? true : undefined,
  )
}

async function healthIs(hub: HubUnderTest, status: string): Promise<void> {
  await eventually(`health ${status}`, async () => {
    if (!hub.program.running) throw fault('INTERNAL', `the hub died: ${hub.program.stderr}`)
    const health = (await (await fetch(`${hub.url}/healthz`)).json()) as { status: string }
    return health.status === status ? true : undefined
  })
}

/** Reading needs no room. */
async function goesOnAnswering(hub: HubUnderTest): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await hub.api.search('a lighthouse')
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

await runAsScript(import.meta.url, diskFull)
