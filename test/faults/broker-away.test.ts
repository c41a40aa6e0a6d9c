import { expect, it } from 'vitest'
import { brokerAway } from './broker-away.ts'
import { breach, table } from './report.ts'

it('the records of an outage are bounded, and drained while live ones go on', async () => {
  const rows = await brokerAway({ long: false })
  console.log(table(rows))
  expect(rows.map(breach)).toEqual(rows.map(() => undefined))
}, 600_000)
