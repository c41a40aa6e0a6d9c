import { expect, it } from 'vitest'
import { reconnectStorm } from './reconnect-storm.ts'
import { breach, table } from './report.ts'

it('five hundred agents come back at once', async () => {
  const rows = await reconnectStorm({ long: false })
  console.log(table(rows))
  expect(rows.map(breach)).toEqual(rows.map(() => undefined))
}, 600_000)
