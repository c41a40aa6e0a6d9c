import { expect, it } from 'vitest'
import { breach, table } from './report.ts'
import { slowloris } from './slowloris.ts'

it('slow sockets are closed, and good agents get in', async () => {
  const rows = await slowloris({ long: false })
  console.log(table(rows))
  expect(rows.map(breach)).toEqual(rows.map(() => undefined))
}, 600_000)
