// A disk that fills up, under the hub and under a device.
// npx tsx test/faults/disk-full.ts [--long]
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { eventually } from '../support/api.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import type { DeliveryLedger } from '../support/delivery-ledger.ts'
import { countsOf, startDevice } from '../support/device.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import type { HubUnderTest } from '../support/hub-under-test.ts'
import { scratch } from '../support/processes.ts'
import { type SmallDisk, smallDisk } from '../support/small-disk.ts'
import { type Progress, runAsScript, type ScenarioOptions } from './report.ts'

const MIB = 2 ** 20

export async function diskFull({ long, progress = () => {} }: ScenarioOptions): Promise<LedgerRow[]> {
  const rounds = long ? 20 : 1
  return [
    await onSmallDisk(underTheHub, rounds, progress),
    await onSmallDisk(underTheDevice, rounds, progress),
  ]
}

type Part = (disk: SmallDisk, rounds: number, progress: Progress) => Promise<LedgerRow>

async function onSmallDisk(part: Part, rounds: number, progress: Progress): Promise<LedgerRow> {
  const space = await scratch()
  const disk = await smallDisk(join(space.dir, 'disk'))
  try {
    return await part(disk, rounds, progress)
  } finally {
    await disk.remove()
    await space.clean()
  }
}

/** Full twice a round: while the hub runs, and again while it starts. */
function underTheHub(disk: SmallDisk, rounds: number, progress: Progress): Promise<LedgerRow> {
  return onFaultStage(
    async stage => {
      const { hub, ledger } = stage
      await hub.configure({ store: { minFreeBytes: disk.minFreeBytes } })
      await hub.start()
      const fleet = await stage.fleet({ count: 4, settings: { ackTimeoutMs: 500 } })
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
        progress(`hub, round ${round + 1} of ${rounds}: degraded twice, resumed`)
      }
      await stage.delivered()
      await hub.indexed()
      await stage.over()
      const scenario = `disk of the hub full, ${rounds} times`
      const row = await audit({ scenario, ledger: ledger.path, dataDir: hub.dataDir })
      return { ...row, notes: `${disk.kind}; degraded, then resumed by itself` }
    },
    { hubDir: disk.dir },
  )
}

function underTheDevice(disk: SmallDisk, rounds: number, progress: Progress): Promise<LedgerRow> {
  return onFaultStage(async ({ dir, own, hub, over }) => {
    await hub.configure()
    await hub.start()
    const ledger = join(dir, 'device-ledger')
    const spec = {
      node: 'dock-1',
      url: hub.mqttUrl,
      outboxDir: join(disk.dir, 'outbox'),
      ledger,
      minFreeDiskBytes: disk.minFreeBytes,
      everyMs: 2,
      ...(await hub.space()),
    }
    const device = own(startDevice(spec))
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
      progress(`device, round ${round + 1} of ${rounds}: ${countsOf(device)!.dropped} dropped so far`)
    }
    if ((await device.stop()) !== 0) throw fault('INTERNAL', `the device failed: ${device.stderr}`)
    const { dropped, refused } = countsOf(device)!
    await hub.indexed()
    await over()
    const scenario = `disk of a device full, ${rounds} times`
    const row = await audit({ scenario, ledger, dataDir: hub.dataDir })
    // What the outbox gave up it counted: what is missing beyond that is lost.
    const evicted = dropped - refused
    const notes = `${disk.kind}; ${evicted} dropped and counted, oldest first; ${refused} refused`
    return { ...row, acknowledged: row.acknowledged - evicted, lost: row.lost - evicted, notes }
  })
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
