// All scenarios one after the other, one table: npx tsx test/faults/run.ts [--long]
import { faultText } from '@sightline/core'
import type { LedgerRow } from '../support/delivery-audit.ts'
import { badNetwork } from './bad-network.ts'
import { brokenStreams } from './broken-streams.ts'
import { brokerAway } from './broker-away.ts'
import { diskFull } from './disk-full.ts'
import { fleetAtWork } from './fleet.ts'
import { killAgent } from './kill-agent.ts'
import { killHub } from './kill-hub.ts'
import { reconnectStorm } from './reconnect-storm.ts'
import { breach, type Scenario, table } from './report.ts'
import { slowloris } from './slowloris.ts'

const SCENARIOS: readonly Scenario[] = [
  killHub,
  killAgent,
  brokerAway,
  diskFull,
  badNetwork,
  fleetAtWork,
  reconnectStorm,
  brokenStreams,
  slowloris,
]

const long = process.argv.includes('--long')
const rows: LedgerRow[] = []
let failed = false
for (const scenario of SCENARIOS) {
  try {
    const added = await scenario({ long })
    rows.push(...added)
    console.log(`${table(added)}\n`)
    failed ||= added.some(row => breach(row) !== undefined)
  } catch (error) {
    // The others are still worth knowing.
    console.error(`${scenario.name}: ${faultText(error)}\n`)
    failed = true
  }
}
console.log(table(rows))
process.exit(failed ? 1 : 0)
