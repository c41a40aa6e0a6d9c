// The agent as it ships, with cameras and model: agent, hub and the network between them fail all at once.
// npx tsx test/faults/real-agent.ts [--long]
import { join } from 'node:path'
import { createLog, fault, systemClock } from '@sightline/core'
import { Outbox } from '@sightline/edge-agent/outbox/outbox.js'
import { ulid } from 'ulid'
import { eventually } from '../support/api.ts'
import { Crashes, type CrashPoint, crashing, deathOf } from '../support/crashes.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import { type AgentOptions, type Program, startAgent } from '../support/processes.ts'
import { SAMPLES } from '../support/samples.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { seededRandom } from '../support/vectors.ts'
import { WireLedger } from '../support/wire-ledger.ts'
import { runAsScript, type ScenarioOptions } from './report.ts'

const ADDRESS = { site: 'default', node: 'dock-1' }
const CAMERAS = ['harbour', 'lobby'].map(name => ({
  name,
  source: `folder:${join(SAMPLES, name)}`,
  fps: 5,
  gate: { threshold: 0 },
}))
const WITHOUT_CAMERAS = { cameras: [], env: {} }
const UPLINK = { ackTimeoutSeconds: 2, drainSeconds: 1, statsSeconds: 1 }
const DRAIN_MS = 120_000
/** It depends on two others whether a point is reached. */
const MAX_LIFE_MS = 20_000

/** Where the agent dies; the short form has one of each. */
const AGENT_POINTS: readonly CrashPoint[] = [
  { name: 'message sent', passes: 60 },
  { name: 'before trim', passes: 30 },
  { name: 'after trim', passes: 30 },
  { name: 'before commit', passes: 40 },
  { name: 'after commit', passes: 40 },
  { name: 'at random', passes: 0 },
]
const HUB_POINTS: readonly CrashPoint[] = [
  { name: 'after commit', passes: 80 },
  { name: 'before commit', passes: 80 },
  { name: 'at random', passes: 0 },
]

export function realAgent({
  long,
  progress = () => {},
  kills = long ? 200 : 6,
}: ScenarioOptions & { kills?: number }): Promise<LedgerRow[]> {
  return onFaultStage(async ({ dir, own, hub, ledger, over }) => {
    const wire = new WireLedger({ address: ADDRESS, ledger })
    const [agentCrashes, hubCrashes, done] = [new Crashes(), new Crashes(), new AbortController()]
    let cuts = 0
    await hub.configure()
    await hub.start()
    const proxy = await new TcpProxy({
      targetPort: hub.mqttPort,
      onClientBytes: (chunk, connection) => wire.read(chunk, connection, 'to server'),
      onServerBytes: (chunk, connection) => wire.read(chunk, connection, 'to client'),
    }).start()
    const start = async (options: Pick<AgentOptions, 'cameras' | 'env'>) => {
      const all: Program[] = []
      await startAgent(dir, {
        ...options,
        node: ADDRESS.node,
        mqttPort: proxy.port,
        extra: { uplink: UPLINK },
        onSpawn: program => void all.push(own(program)),
      }).catch(error => {
        if (!all[0]!.killed) throw error
      })
      return all[0]!
    }
    const agentLives = async () => {
      const random = seededRandom(kills)
      for (let life = 0; life < kills; life++) {
        const point = AGENT_POINTS[life % AGENT_POINTS.length]!
        const agent = await start({ cameras: CAMERAS, env: crashing(point, random) })
        agentCrashes.add(await deathOf(agent, point, point.passes === 0 ? random() * 3000 : MAX_LIFE_MS))
        const killed = `agent killed ${agentCrashes.total} of ${kills} times, hub ${hubCrashes.total}`
        progress(`${killed}, network cut ${cuts}; ${wire.records} sent, ${wire.acknowledged} acknowledged`)
      }
      done.abort()
      await hub.program.kill()
    }
    const hubLives = async () => {
      const random = seededRandom(kills + 1)
      for (let life = 0; !done.signal.aborted; life++) {
        const point = HUB_POINTS[life % HUB_POINTS.length]!
        await hub.start(crashing(point, random))
        if (point.passes === 0) {
          await wire.passed(random() * 40, done.signal)
          await hub.program.kill()
        }
        const where = await deathOf(hub.program, point, MAX_LIFE_MS)
        hubCrashes.add(done.signal.aborted ? 'at random' : where)
      }
    }
    // Measured in messages, so that a slow machine does not see more of it than a fast one.
    const weather = async () => {
      const random = seededRandom(kills + 2)
      for (;;) {
        await wire.passed(5 + random() * 20, done.signal)
        if (done.signal.aborted) return
        // Messages get through, their acknowledgements do not; then the connection is gone.
        proxy.split(cuts++ % 3 === 2 ? 'both' : 'to client')
        await wire.passed(random() * 4, AbortSignal.any([done.signal, AbortSignal.timeout(500)]))
        proxy.cut()
        proxy.split('none')
      }
    }
    try {
      await hub.program.kill()
      await Promise.all([agentLives(), hubLives(), weather()])
      await hub.start()
      wire.takeWaiting()
      // Without cameras it makes nothing new, and says every second what it still has.
      const last = await start(WITHOUT_CAMERAS)
      await eventually('an empty outbox', async () => (wire.takeWaiting() === 0 ? true : undefined), DRAIN_MS)
      progress('everything is acknowledged')
      if ((await last.stop()) !== 0) throw fault('INTERNAL', `the last agent failed: ${last.stderr}`)
    } finally {
      await proxy.stop()
    }
    const { sent, waiting, dropped } = await outboxOf(join(dir, ADDRESS.node, 'outbox'))
    if (waiting + dropped > 0)
      throw fault('INTERNAL', `${waiting} were never acknowledged, ${dropped} dropped`)
    ledger.sent(ADDRESS.node, sent)
    await hub.indexed()
    await over()
    const row = await audit({
      scenario: `real agent killed ${kills} times`,
      ledger: ledger.path,
      dataDir: hub.dataDir,
      incidentOf: (_node, seq) => wire.incidentOf(seq),
    })
    const notes = `${agentCrashes}; hub ${hubCrashes}; network cut ${cuts} times; ${wire.repeated} sent again and stored once`
    return [{ ...row, notes }]
  })
}

/** What the files of a stopped agent's outbox say. */
async function outboxOf(dir: string): Promise<{ sent: number; waiting: number; dropped: number }> {
  const log = createLog({ name: 'audit', level: 'silent' })
  const limits = { maxBytes: 2 ** 40, minFreeDiskBytes: 0 }
  const outbox = await Outbox.open({ dir, limits, clock: systemClock, log, newId: ulid })
  const { records: waiting, dropped } = outbox.counts
  await outbox.close()
  return { sent: outbox.next - 1, waiting, dropped }
}

await runAsScript(import.meta.url, realAgent)
