// Sockets that take for ever: mute ones, CONNECTs and PUBLISHes byte by byte, HTTP headers byte by byte.
// npx tsx test/faults/slowloris.ts [--long]
import { connect, type Socket } from 'node:net'
import { eventually } from '../support/api.ts'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import type { DeliveryLedger } from '../support/delivery-ledger.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import { MemoryWatch } from '../support/process-memory.ts'
import type { SimulatedFleet } from '../support/simulated-fleet.ts'
import { runAsScript, type ScenarioOptions } from './report.ts'

/** More than the broker takes, so that good agents find it full at first. */
const MUTE = 1100
const DRIBBLING = 100
const EVERY_MS = 500
/** The broker waits ten seconds for a CONNECT; the rest is a busy machine's. */
const MAX_FULL_MS = 60_000
const MAX_CLOSED_MS = 120_000

/** MQTT 3.1.1, clean session, keep-alive 5 s, client id `slow-NNN`. */
const connectPacket = (name: string) =>
  Buffer.concat([
    Buffer.from([0x10, 12 + name.length, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 5, 0, name.length]),
    Buffer.from(name),
  ])
/** The head of a PUBLISH of 2 MiB that will not end. */
const publishHead = Buffer.from([0x30, 0x80, 0x80, 0x80, 0x01, 0, 1, 0x61])
const httpHead = Buffer.from('GET / HTTP/1.1\r\nHost: hub\r\nX: ')

export function slowloris({ long, progress = () => {} }: ScenarioOptions): Promise<LedgerRow[]> {
  const rounds = long ? 10 : 1
  return onFaultStage(async stage => {
    const { hub, ledger } = stage
    const slow = new SlowSockets()
    try {
      await hub.configure()
      await hub.start()
      const memory = new MemoryWatch(hub.program.pid)
      let fleet: SimulatedFleet | undefined
      const [, httpPort] = /:(\d+)$/.exec(hub.url)!
      const dribble = () => {
        slow.open(DRIBBLING, hub.mqttPort, i => connectPacket(`slow-${i}`).subarray(0, 10))
        slow.open(DRIBBLING, hub.mqttPort, i => Buffer.concat([connectPacket(`slow-${i}`), publishHead]))
        slow.open(DRIBBLING, Number(httpPort), () => httpHead)
      }
      const fullMs: number[] = []
      for (let round = 0; round < rounds; round++) {
        // All time-outs run at once: what dribbles is there first, then the mute ones take every place that is left.
        dribble()
        const before = await refusals(hub.url)
        slow.open(MUTE, hub.mqttPort, () => Buffer.alloc(0))
        await eventually('a broker that is full', async () =>
          (await refusals(hub.url)) > before ? true : undefined,
        )
        const startedMs = performance.now()
        fleet ??= await stage.fleet({ count: 5 })
        await eventually('good agents', async () => (fleet!.up === 5 ? true : undefined), MAX_FULL_MS)
        fullMs.push(performance.now() - startedMs)
        const closed = async () => (slow.openOn(hub.mqttPort) === 0 ? true : undefined)
        await eventually('slow MQTT connections closed', closed, MAX_CLOSED_MS)
        // Beside the next ones the good agents are at work.
        dribble()
        if (round === 0) fleet.record(10)
        await eventually('acknowledgements', acknowledged(ledger, 100))
        await hub.api.search('a lighthouse')
        progress(`round ${round + 1} of ${rounds}: good agents in after ${Math.round(fullMs.at(-1)!)} ms`)
      }
      memory.stop()
      await stage.delivered()
      const latency = `good agents' ack p99 ${fleet!.latencyMs(99).toFixed(0)} ms`
      slow.close()
      await stage.over()
      const sockets = MUTE + 6 * DRIBBLING
      const rss = `hub memory at most ${(memory.peakBytes / 2 ** 20).toFixed(0)} MiB`
      const full = `good agents in after ${(Math.max(...fullMs) / 1000).toFixed(1)} s`
      const scenario = `${sockets} slow sockets, ${rounds} times`
      const row = await audit({ scenario, ledger: ledger.path, dataDir: hub.dataDir })
      return [{ ...row, notes: `${full}; ${latency}; ${rss}` }]
    } finally {
      slow.close()
    }
  })
}

/** Connections that the broker refused because it was full, as it counts them. */
async function refusals(url: string): Promise<number> {
  const page = await (await fetch(`${url}/metrics`)).text()
  return Number(/^sightline_mqtt_refused_total (\d+)$/m.exec(page)?.[1])
}

/** So many more than there are now. */
function acknowledged(ledger: DeliveryLedger, count: number): () => Promise<true | undefined> {
  const enough = ledger.acknowledgedCount + count
  return async () => (ledger.acknowledgedCount >= enough ? true : undefined)
}

/** Sockets that send what they begin with, then one byte every half second. */
class SlowSockets {
  readonly #sockets = new Map<Socket, number>()
  readonly #timers = new Set<NodeJS.Timeout>()

  open(count: number, port: number, begin: (i: number) => Buffer): void {
    for (let i = 0; i < count; i++) {
      const first = begin(i)
      const socket = connect(port, '127.0.0.1', () => void (first.length > 0 && socket.write(first)))
      const timer = setInterval(() => first.length > 0 && socket.write('x'), EVERY_MS)
      this.#sockets.set(socket, port)
      this.#timers.add(timer)
      socket.on('error', () => {})
      socket.on('data', () => {})
      socket.on('close', () => {
        clearInterval(timer)
        this.#timers.delete(timer)
        this.#sockets.delete(socket)
      })
    }
  }

  openOn(port: number): number {
    return [...this.#sockets.values()].filter(each => each === port).length
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer)
    for (const socket of this.#sockets.keys()) socket.destroy()
  }
}

await runAsScript(import.meta.url, slowloris)
