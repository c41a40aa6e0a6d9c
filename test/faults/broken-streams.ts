// Broken MQTT streams and payloads, made from packets that a real agent sent, with good agents beside them.
// npx tsx test/faults/broken-streams.ts [--long]
import { connect } from 'node:net'
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { eventually } from '../support/api.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { DeliveryLedger } from '../support/delivery-ledger.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import type { HubUnderTest } from '../support/hub-under-test.ts'
import { brokenStream, isPublish, packetsOf, type WirePacket } from '../support/mqtt-mutations.ts'
import { MemoryWatch } from '../support/process-memory.ts'
import { SimulatedAgent } from '../support/simulated-agent.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'
import { seededRandom } from '../support/vectors.ts'
import { runAsScript, type ScenarioOptions } from './report.ts'

/** Most of them only wait: a stream whose connection the hub keeps open is given up after a while. */
const AT_ONCE = 128
const MAX_WAIT_MS = 250
const TELL_EVERY = 2000
const DRAIN_MS = 60_000

export function brokenStreams({
  long,
  progress = () => {},
  streams = long ? 100_000 : 10_000,
  seed = 1,
}: ScenarioOptions & { streams?: number; seed?: number }): Promise<LedgerRow[]> {
  return onFaultStage(async stage => {
    const { dir, hub, ledger } = stage
    await hub.configure()
    await hub.start()
    const packets = await recorded(hub, await DeliveryLedger.open(join(dir, 'recorded')))
    const fleet = await stage.fleet({ count: 5 })
    await eventually('good agents', async () => (fleet.up === 5 ? true : undefined))
    fleet.record(10)
    const memory = new MemoryWatch(hub.program.pid)
    const random = seededRandom(seed)
    let sent = 0
    const lane = async () => {
      while (sent < streams && hub.program.running) {
        if (++sent % TELL_EVERY === 0) progress(`${sent} of ${streams} streams`)
        await deliver(brokenStream(packets, random), hub.mqttPort)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, lane))
    memory.stop()
    if (!hub.program.running)
      throw fault('INTERNAL', `the hub died of stream ${sent}, seed ${seed}: ${hub.program.stderr}`)
    await stage.delivered()
    const reconnects = fleet.agents.reduce((sum, agent) => sum + agent.reconnects - 1, 0)
    if (reconnects > 0) throw fault('INTERNAL', `good agents lost their connection ${reconnects} times`)
    const { quarantined } = (await hub.api.get<{ ingest: { quarantined: number } }>('/system')).ingest
    const latency = `good agents' ack p99 ${fleet.latencyMs(99).toFixed(0)} ms`
    await stage.over()
    const rss = `hub memory at most ${(memory.peakBytes / 2 ** 20).toFixed(0)} MiB`
    const scenario = `${streams} broken streams, seed ${seed}`
    const row = await audit({ scenario, ledger: ledger.path, dataDir: hub.dataDir })
    return [{ ...row, notes: `0 crashes; ${quarantined} payloads quarantined; ${latency}; ${rss}` }]
  })
}

/** What an agent sends from its CONNECT to its goodbye. */
async function recorded(hub: HubUnderTest, ledger: DeliveryLedger): Promise<WirePacket[]> {
  const chunks: Buffer[] = []
  const proxy = await new TcpProxy({
    targetPort: hub.mqttPort,
    onClientBytes: chunk => void chunks.push(Buffer.from(chunk)),
  }).start()
  // Another site than the good ones': what a broken message means can then never be theirs.
  const address = { site: 'elsewhere', node: 'recorded' }
  const url = `mqtt://127.0.0.1:${proxy.port}`
  const agent = new SimulatedAgent({ address, url, space: await hub.space(), ledger })
  agent.start()
  await eventually('the recorded agent', async () => (agent.up ? true : undefined))
  for (let i = 0; i < 40; i++) agent.record()
  if (!(await agent.drained(DRAIN_MS))) throw fault('INTERNAL', 'the recorded agent got no acknowledgement')
  await agent.stop()
  await proxy.stop()
  await ledger.close()
  const packets = packetsOf(Buffer.concat(chunks))
  if (packets.filter(isPublish).length < 4) throw fault('INTERNAL', 'too few packets were recorded')
  return packets
}

/** Sends all of it and half-closes, as one does who awaits an answer; resolves when the hub is done with it. */
async function deliver(bytes: Buffer, port: number): Promise<void> {
  await new Promise<void>(resolve => {
    const socket = connect(port, '127.0.0.1')
    const late = setTimeout(() => socket.destroy(), MAX_WAIT_MS)
    socket.on('error', () => {})
    socket.on('data', () => {})
    socket.on('close', () => {
      clearTimeout(late)
      resolve()
    })
    socket.end(bytes)
  })
}

await runAsScript(import.meta.url, brokenStreams)
