import { expect, it } from 'vitest'
import { diskFull } from './disk-full.ts'
import { breach, table } from './report.ts'

it('a full disk is survived, counted, and left behind without help', async () => {
  const rows = await diskFull({ long: false })
  console.log(table(rows))
  expect(rows.map(breach)).toEqual(rows.map(() => undefined))
}, 600_000)
