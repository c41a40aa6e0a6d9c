import { expect, it } from 'vitest'
import { killAgent } from './kill-agent.ts'
import { breach, table } from './report.ts'

it('nothing recorded is lost when a device is killed at its most awkward points', async () => {
  const rows = await killAgent({ long: false })
  console.log(table(rows))
  expect(rows.map(breach)).toEqual(rows.map(() => undefined))
}, 600_000)
