import { join } from 'node:path'
import { fault } from '@sightline/core'
import { DeliveryLedger } from './delivery-ledger.ts'
import { HubUnderTest } from './hub-under-test.ts'
import { type Program, scratch } from './processes.ts'
import { type FleetOptions, SimulatedFleet } from './simulated-fleet.ts'

const DRAIN_MS = 120_000

/** Where a fault scenario plays: a hub, simulated agents, and the ledger that the agents keep. */
export interface FaultStage {
  readonly dir: string
  readonly hub: HubUnderTest
  readonly ledger: DeliveryLedger
  own(program: Program): Program
  /** Agents that have set out to connect; on the hub's own port and in its model's space unless told otherwise. */
  fleet(options: Pick<FleetOptions, 'count'> & Partial<FleetOptions>): Promise<SimulatedFleet>
  /** Makes no more records; resolves when all are acknowledged. @throws INTERNAL when some never are */
  delivered(): Promise<void>
  /** After the hub: the ledger is on disk, and the store's files are nobody's. */
  over(): Promise<void>
}

export interface StageOptions {
  /** Where the hub keeps its files; default: a directory of the stage's. */
  readonly hubDir?: string
}

/** Runs `work` on a stage that is cleared afterwards, whatever happened on it. */
export async function onFaultStage<T>(
  work: (stage: FaultStage) => Promise<T>,
  { hubDir }: StageOptions = {},
): Promise<T> {
  const space = await scratch()
  const hub = new HubUnderTest({ dir: hubDir ?? space.dir, own: space.own })
  const ledger = await DeliveryLedger.open(join(space.dir, 'ledger'))
  let fleet: SimulatedFleet | undefined
  const stage: FaultStage = {
    dir: space.dir,
    own: space.own,
    hub,
    ledger,
    fleet: async options => {
      fleet = new SimulatedFleet({
        url: options.url ?? hub.mqttUrl,
        space: options.space ?? (await hub.space()),
        ledger,
        ...options,
      })
      fleet.start()
      return fleet
    },
    delivered: async () => {
      fleet?.pause()
      if (fleet !== undefined && !(await fleet.drained(DRAIN_MS)))
        throw fault('INTERNAL', `${fleet.outstanding} were never acknowledged`)
    },
    over: async () => {
      await hub.stop()
      await fleet?.stop()
      await ledger.close()
    },
  }
  try {
    return await work(stage)
  } finally {
    await fleet?.stop()
    await space.clean()
  }
}
