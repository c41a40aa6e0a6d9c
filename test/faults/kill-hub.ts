// kill -9 of the hub, at random and at the points where it is most awkward.
// npx tsx test/faults/kill-hub.ts [--long]
import { access, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { Crashes, type CrashPoint, crashing, deathOf } from '../support/crashes.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { type FaultStage, onFaultStage } from '../support/fault-stage.ts'
import { runHub } from '../support/processes.ts'
import { seededRandom } from '../support/vectors.ts'
import { runAsScript, type ScenarioOptions } from './report.ts'

const AGENTS = 8
const PER_SECOND = 25
const AT_RANDOM: CrashPoint = { name: 'at random', passes: 0 }
const DURING_SNAPSHOT: CrashPoint = { name: 'during snapshot', passes: 0 }

/** Where the hub dies. */
const POINTS: readonly CrashPoint[] = [
  AT_RANDOM,
  { name: 'before commit', passes: 150 },
  { name: 'after commit', passes: 150 },
  { name: 'segment built', passes: 2 },
  { name: 'manifest written', passes: 2 },
  DURING_SNAPSHOT,
]

export function killHub({
  long,
  progress = () => {},
  kills = long ? 200 : 10,
}: ScenarioOptions & { kills?: number }): Promise<LedgerRow[]> {
  return onFaultStage(async stage => {
    const { dir, own, hub, ledger } = stage
    const random = seededRandom(kills)
    const crashes = new Crashes()
    const snapshot = join(dir, 'snapshot')
    await hub.configure()
    await hub.start()
    // They come back as soon as the hub does: what is tried here is its death, not their patience.
    const fleet = await stage.fleet({ count: AGENTS, settings: { maxBackoffMs: 300 } })
    fleet.record(PER_SECOND)
    for (let round = 0; round < kills; round++) {
      const point = POINTS[round % POINTS.length]!
      // The first one dies at random: it has begun already.
      if (round > 0) await hub.start(crashing(point, random))
      if (point === DURING_SNAPSHOT) {
        await lifetime(random)
        await dieDuringSnapshot(stage, snapshot, random)
        crashes.add(point.name)
      } else {
        const limitMs = point.passes === 0 ? 200 + random() * 1500 : undefined
        crashes.add(await deathOf(hub.program, point, limitMs))
      }
      const { sentCount: sent, acknowledgedCount: acknowledged } = ledger
      progress(`${crashes.total} of ${kills} killed; ${sent} sent, ${acknowledged} acknowledged`)
    }
    await hub.start()
    await stage.delivered()
    progress('everything is acknowledged')
    await hub.indexed()
    const copy = own(runHub(['snapshot', snapshot], { SIGHTLINE_DATA_DIR: hub.dataDir }))
    if ((await copy.exit()) !== 0) throw fault('INTERNAL', `no snapshot after crashed ones: ${copy.stderr}`)
    const stopMs = await hub.stop()
    await stage.over()
    const scenario = `hub killed ${kills} times`
    const row = await audit({ scenario, ledger: ledger.path, dataDir: hub.dataDir })
    return [
      { ...row, notes: `${crashes}; SIGTERM ${stopMs} ms` },
      await audit({ scenario: 'snapshot after them', ledger: ledger.path, dataDir: snapshot }),
    ]
  })
}

/** The copy is killed too, half of the times at a point of its own. */
async function dieDuringSnapshot(
  { hub, own }: FaultStage,
  snapshot: string,
  random: () => number,
): Promise<void> {
  const env = random() < 0.5 ? crashing({ name: 'store copied', passes: 1 }, random) : {}
  const copy = own(runHub(['snapshot', snapshot], { SIGHTLINE_DATA_DIR: hub.dataDir, ...env }))
  while (copy.running && !(await exists(`${snapshot}.partial`))) await pause(5)
  await pause(random() * 100)
  await hub.program.kill()
  await copy.kill()
  // One that was complete all the same; what a crashed one left behind stays.
  await rm(snapshot, { recursive: true, force: true })
}

const lifetime = (random: () => number) => pause(200 + random() * 1500)

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
