import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, Socket } from 'node:net'
import { systemClock } from '@sightline/core'
import { Link } from '@sightline/edge-agent/uplink/link.js'
import { Aedes } from 'aedes'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { quiet } from '../support/quiet.ts'
import { until } from '../support/until.ts'

let aedes: Aedes
let server: Server
let link: Link
let ups = 0
/** What the broker took and does not acknowledge. */
let held: string[]
const sockets = new Set<Socket>()

beforeEach(async () => {
  ups = 0
  held = []
  aedes = await Aedes.createBroker()
  aedes.authorizePublish = (_client, { topic }, done) => {
    if (topic === 'held') held.push(topic)
    else done(null)
  }
  server = createServer({ noDelay: true }, socket => {
    sockets.add(socket)
    aedes.handle(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  link = new Link({
    settings: {
      url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
      clientId: 'a',
      keepaliveSeconds: 30,
      connectTimeoutSeconds: 5,
      subscriptions: ['x'],
    },
    backoff: { delayMs: () => 10 },
    clock: systemClock,
    log: quiet,
  })
  link.start({
    will: () => ({ topic: 'will', payload: new Uint8Array(), qos: 0, retain: false }),
    onUp: () => {
      ups++
    },
    onDown: () => {},
    onMessage: () => {},
  })
  await until(() => link.up)
})
afterEach(async () => {
  await link.stop()
  server.close()
  for (const socket of sockets) socket.destroy()
  await new Promise<void>(resolve => aedes.close(resolve))
})

const publish = (topic: string) =>
  link.publish({ topic, payload: new Uint8Array([1]), qos: 1, retain: false })

it('lets nobody wait for an acknowledgement when the connection breaks while it is being left', async () => {
  const waiting = publish('held')
  waiting.catch(() => {})
  await until(() => held.length === 1)
  link.reconnect()
  for (const socket of sockets) socket.destroy()
  await expect(waiting).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' })
  await until(() => ups === 2 && link.up)
  await publish('other')
})

it('sends small packets at once, not when the one before was received', async () => {
  const told = vi.spyOn(Socket.prototype, 'setNoDelay')
  link.reconnect()
  await until(() => ups === 2 && link.up)
  const ends = told.mock.contexts.map(socket => (socket as Socket).remotePort)
  expect(ends).toContain((server.address() as AddressInfo).port)
  told.mockRestore()
})
