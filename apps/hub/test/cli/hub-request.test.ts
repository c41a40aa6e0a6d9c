import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { askHub } from '@sightline/hub/cli/hub-request.js'
import { afterAll, beforeAll, expect, it } from 'vitest'

let server: Server
let answer = ''
beforeAll(async () => {
  server = createServer((_request, reply) => reply.writeHead(401).end(answer)).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => server.close())

it.each([
  ['its own code', { error: { code: 'SIGN_IN_REQUIRED', message: 'm' } }, 'SIGN_IN_REQUIRED', 'm'],
  ['a code of tomorrow', { error: { code: 'TOMORROW', message: 'm' } }, 'API_BAD_REQUEST', 'TOMORROW: m'],
  ['nothing', '', 'API_BAD_REQUEST', 'the hub answers 401'],
])('what a hub answers fails with %s', async (_what, body, code, message) => {
  answer = JSON.stringify(body)
  const { port } = server.address() as AddressInfo
  await expect(askHub(`http://127.0.0.1:${port}`, 'search')).rejects.toMatchObject({ code, message })
})
