// kill -9 of the hub, at random and at the points where it is most awkward.
// npx tsx test/faults/kill-hub.ts [--long]
import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FAIL_POINT_VARIABLE, fault } from '@sightline/core'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { DeliveryLedger } from '../support/delivery-ledger.ts'
import { HubUnderTest } from '../support/hub-under-test.ts'
import { type Program, runHub, scratch } from '../support/processes.ts'
import { SimulatedFleet } from '../support/simulated-fleet.ts'
import { seededRandom } from '../support/vectors.ts'
import { runAsScript } from './report.ts'

const AGENTS = 8
const PER_SECOND = 25
/** A point that is not reached in this time is replaced by a kill at random. */
const MAX_LIFE_MS = 15_000
const DRAIN_MS = 120_000

/** Where the hub dies, and after how many passes at most. */
const POINTS = [
  { name: 'at random', passes: 0 },
  { name: 'before commit', passes: 150 },
  { name: 'after commit', passes: 150 },
  { name: 'segment built', passes: 2 },
  { name: 'manifest written', passes: 2 },
  { name: 'during snapshot', passes: 0 },
] as const

type Point = (typeof POINTS)[number]

export async function killHub({
  long,
  kills = long ? 200 : 10,
}: {
  long: boolean
  kills?: number
}): Promise<LedgerRow[]> {
  const space = await scratch()
  const random = seededRandom(kills)
  const hub = new HubUnderTest(space)
  const ledger = await DeliveryLedger.open(join(space.dir, 'ledger'))
  const snapshot = join(space.dir, 'snapshot')
  const died = new Map<string, number>()
  let fleet: SimulatedFleet | undefined
  try {
    await hub.configure()
    await hub.start()
    fleet = new SimulatedFleet({ count: AGENTS, url: hub.mqttUrl, space: await hub.space(), ledger })
    fleet.start()
    fleet.record(PER_SECOND)
    await hub.program.kill()
    for (let round = 0; round < kills; round++) {
      const point = POINTS[round % POINTS.length]!
      const reached = await liveAndDie({ hub, point, random, snapshot, own: space.own })
      const name = reached ? point.name : 'at random'
      died.set(name, (died.get(name) ?? 0) + 1)
    }
    fleet.pause()
    await hub.start()
    if (!(await fleet.drained(DRAIN_MS)))
      throw fault('INTERNAL', `${fleet.outstanding} were never acknowledged`)
    await hub.indexed()
    await finishedSnapshot(hub.dataDir, snapshot, space.own)
    const stopMs = await hub.stop()
    await fleet.stop()
    await ledger.close()
    const points = [...died].map(([name, count]) => `${count} ${name}`).join(', ')
    const scenario = `hub killed ${kills} times`
    return [
      { ...(await audit(scenario, ledger.path, hub.dataDir)), notes: `${points}; SIGTERM ${stopMs} ms` },
      await audit('snapshot after them', ledger.path, snapshot),
    ]
  } finally {
    await fleet?.stop()
    await space.clean()
  }
}

interface Round {
  readonly hub: HubUnderTest
  readonly point: Point
  readonly random: () => number
  readonly snapshot: string
  readonly own: (program: Program) => Program
}

/** Starts the hub and waits until it is dead. False when it was not the point that killed it. */
async function liveAndDie({ hub, point, random, snapshot, own }: Round): Promise<boolean> {
  const count = 1 + Math.floor(random() * point.passes)
  const env = point.passes > 0 ? { [FAIL_POINT_VARIABLE]: `${point.name}:${count}` } : {}
  if (!(await hub.start(env))) return true
  if (point.passes > 0) {
    const late = setTimeout(() => void hub.program.kill(), MAX_LIFE_MS)
    const startedMs = performance.now()
    await hub.program.exit()
    clearTimeout(late)
    return performance.now() - startedMs < MAX_LIFE_MS
  }
  await pause(200 + random() * 1500)
  if (point.name === 'during snapshot') {
    // The copy is killed too, half of the times, at a point of its own.
    const copy = own(
      runHub(['snapshot', snapshot], {
        SIGHTLINE_DATA_DIR: hub.dataDir,
        ...(random() < 0.5 ? { [FAIL_POINT_VARIABLE]: 'store copied:1' } : {}),
      }),
    )
    while (copy.running && !(await exists(`${snapshot}.partial`))) await pause(5)
    await pause(random() * 100)
    await hub.program.kill()
    await copy.kill()
    // One that was complete all the same; what a crashed one left behind stays.
    await rm(snapshot, { recursive: true, force: true })
  } else await hub.program.kill()
  return true
}

async function finishedSnapshot(
  dataDir: string,
  snapshot: string,
  own: (program: Program) => Program,
): Promise<void> {
  const copy = own(runHub(['snapshot', snapshot], { SIGHTLINE_DATA_DIR: dataDir }))
  if ((await copy.exit()) !== 0) throw fault('INTERNAL', `no snapshot after crashed ones: ${copy.stderr}`)
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

function pause(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}

await runAsScript(import.meta.url, killHub)
