import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { listen } from '@sightline/hub/broker/listen.js'
import { expect, test } from 'vitest'

const COUNT = 1000
/** Opens so many connections, says nothing, and ends when all are open. */
const CLIENT = `
const { connect } = require('node:net')
const [port, count] = process.argv.slice(1).map(Number)
let open = 0
for (let i = 0; i < count; i++)
  connect(port, '127.0.0.1', () => ++open === count && process.exit(0)).on('error', () => process.exit(1))`

const SOMAXCONN = '/proc/sys/net/core/somaxconn'
const room = existsSync(SOMAXCONN) ? Number(readFileSync(SOMAXCONN, 'utf8')) : 0
if (room <= COUNT) process.stdout.write(`skipped: this kernel lets only ${room} connections wait\n`)

test.skipIf(room <= COUNT)('a thousand connections wait while nobody takes them', async () => {
  const server = createServer()
  const taken = new Promise<void>(resolve => {
    let count = 0
    server.on('connection', socket => {
      socket.on('error', () => {})
      if (++count === COUNT) resolve()
    })
  })
  await listen(server, { host: '127.0.0.1', port: 0 })
  const { port } = server.address() as AddressInfo
  // It blocks this thread: a hub that commits a large batch takes nobody either.
  const { status } = spawnSync(process.execPath, ['-e', CLIENT, String(port), String(COUNT)], {
    timeout: 30_000,
  })
  expect(status).toBe(0)
  await taken
  server.close()
})
