import { expect, it } from 'vitest'
import { brokerAway } from './broker-away.ts'
import { breach, table } from './report.ts'

it('the records of an outage are bounded, and drained at 20 times the live rate', async () => {
  const rows = await brokerAway({ long: false })
  console.log(table(rows))
  expect(rows.map(breach)).toEqual(rows.map(() => undefined))
}, 600_000)
