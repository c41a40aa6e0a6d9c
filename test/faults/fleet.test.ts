import { expect, it } from 'vitest'
import { fleetAtWork } from './fleet.ts'
import { breach, table } from './report.ts'

it('a fleet at its work loses nothing, and the hub stops within five seconds under load', async () => {
  const rows = await fleetAtWork({ long: false })
  console.log(table(rows))
  expect(rows.map(breach)).toEqual(rows.map(() => undefined))
}, 600_000)
