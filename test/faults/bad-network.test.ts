import { expect, it } from 'vitest'
import { badNetwork } from './bad-network.ts'
import { breach, table } from './report.ts'

it('nothing is lost or doubled by loss, latency and partitions', async () => {
  const rows = await badNetwork({ long: false })
  console.log(table(rows))
  expect(rows.map(breach)).toEqual(rows.map(() => undefined))
}, 600_000)
