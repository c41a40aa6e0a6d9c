// 30 % loss, two seconds of latency, and partitions in the middle of an acknowledgement.
// npx tsx test/faults/bad-network.ts [--long]
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { audit, type LedgerRow } from '../support/delivery-audit.ts'
import { startDevice } from '../support/device.ts'
import { onFaultStage } from '../support/fault-stage.ts'
import { CLEAR, TcpProxy } from '../support/tcp-proxy.ts'
import { seededRandom } from '../support/vectors.ts'
import { runAsScript, type ScenarioOptions } from './report.ts'

const AGENTS = 10
const PER_SECOND = 5

/** Latency is one way: two seconds there and back. The short form is ten times as fast, time-outs included. */
const LONG = { scale: 1, seconds: 120, partitions: 6 }
const SHORT = { scale: 0.1, seconds: 5, partitions: 3 }

export function badNetwork({ long, progress = () => {} }: ScenarioOptions): Promise<LedgerRow[]> {
  const { scale, seconds, partitions } = long ? LONG : SHORT
  return onFaultStage(async stage => {
    const { dir, hub, ledger } = stage
    await hub.configure()
    await hub.start()
    const proxy = await new TcpProxy({ targetPort: hub.mqttPort, random: seededRandom(30) }).start()
    try {
      const url = `mqtt://127.0.0.1:${proxy.port}`
      const settings = { ackTimeoutMs: 15_000 * scale, keepaliveSeconds: 20 }
      const fleet = await stage.fleet({ count: AGENTS, url, settings })
      // Beside them the product's own outbox and uplink.
      const spec = {
        node: 'dock-1',
        url,
        outboxDir: join(dir, 'outbox'),
        ledger: join(dir, 'device-ledger'),
        everyMs: 1000 / PER_SECOND,
        ...(await hub.space()),
      }
      const device = stage.own(startDevice(spec))
      await device.line(/^device ready/)
      fleet.record(PER_SECOND)
      proxy.weather = { latencyMs: 1000 * scale, loss: 0.3, retransmitMs: 200 * scale, maxLosses: 3 }
      progress(`${seconds} s of 30 % loss and ${1000 * scale} ms of latency`)
      await pause(seconds * 1000)
      const { stalled, broken } = proxy.stats
      proxy.weather = { ...CLEAR, latencyMs: 50 * scale }
      for (let i = 0; i < partitions; i++) {
        const { sentCount: sent, acknowledgedCount: acknowledged } = ledger
        progress(`partition ${i + 1} of ${partitions}; ${sent} sent, ${acknowledged} acknowledged`)
        await pause(5000 * scale)
        // Messages get through, their acknowledgements do not; then the connection is gone.
        proxy.split(i % 3 === 2 ? 'both' : 'to client')
        await pause(10_000 * scale)
        if (i % 3 !== 1) proxy.cut()
        proxy.split('none')
      }
      await stage.delivered()
      if ((await device.stop()) !== 0) throw fault('INTERNAL', `the device failed: ${device.stderr}`)
      const { duplicates } = (await hub.api.get<{ ingest: { duplicates: number } }>('/system')).ingest
      await hub.indexed()
      await stage.over()
      const notes = `${stalled} segments stalled, ${broken} connections broken, ${partitions} partitions; ${duplicates} sent again and stored once`
      const { dataDir } = hub
      const scenario = '30 % loss, latency, partitions'
      return [
        { ...(await audit({ scenario, ledger: ledger.path, dataDir })), notes },
        await audit({ scenario: 'the same for an outbox', ledger: spec.ledger, dataDir }),
      ]
    } finally {
      await proxy.stop()
    }
  })
}

function pause(delayMs: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, delayMs))
}

await runAsScript(import.meta.url, badNetwork)
