// All scenarios one after the other, one table: npm run faults -- [--long] [--only NAME]...
import { parseArgs } from 'node:util'
import { faultText } from '@sightline/core'
import type { LedgerRow } from '../support/delivery-audit.ts'
import { badNetwork } from './bad-network.ts'
import { brokenStreams } from './broken-streams.ts'
import { brokerAway } from './broker-away.ts'
import { diskFull } from './disk-full.ts'
import { fleetAtWork } from './fleet.ts'
import { killAgent } from './kill-agent.ts'
import { killHub } from './kill-hub.ts'
import { realAgent } from './real-agent.ts'
import { reconnectStorm } from './reconnect-storm.ts'
import { breach, progressOf, type Scenario, table } from './report.ts'
import { slowloris } from './slowloris.ts'

/** By the name of their file. */
const SCENARIOS: Readonly<Record<string, Scenario>> = {
  'kill-hub': killHub,
  'kill-agent': killAgent,
  'real-agent': realAgent,
  'broker-away': brokerAway,
  'disk-full': diskFull,
  'bad-network': badNetwork,
  fleet: fleetAtWork,
  'reconnect-storm': reconnectStorm,
  'broken-streams': brokenStreams,
  slowloris,
}

const { long, only } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true, default: Object.keys(SCENARIOS) },
  },
}).values
const unknown = only.filter(name => SCENARIOS[name] === undefined)
if (unknown.length > 0) {
  console.error(`no scenario ${unknown.join(', ')}; there are ${Object.keys(SCENARIOS).join(', ')}`)
  process.exit(1)
}

const rows: LedgerRow[] = []
let failed = false
for (const name of only) {
  const progress = progressOf(name)
  try {
    const added = await SCENARIOS[name]!({ long, progress })
    progress('done')
    rows.push(...added)
    console.log(`${table(added)}\n`)
    failed ||= added.some(row => breach(row) !== undefined)
  } catch (error) {
    // The others are still worth knowing.
    console.error(`${name}: ${faultText(error)}\n`)
    failed = true
  }
}
console.log(table(rows))
process.exit(failed ? 1 : 0)
