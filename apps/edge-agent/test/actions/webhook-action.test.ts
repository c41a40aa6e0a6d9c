import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { WebhookAction, webhookSignature } from '@sightline/edge-agent/actions/webhook-action.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../support/fake-clock.ts'
import { notice } from '../support/notices.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'

interface Request {
  readonly path: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let server: Server
let requests: Request[]
let answer: { status: number; location?: string }
beforeEach(async () => {
  requests = []
  answer = { status: 200 }
  server = createServer((request, response) => {
    void request.toArray().then(chunks => {
      requests.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() })
      response
        .writeHead(answer.status, answer.location === undefined ? {} : { location: answer.location })
        .end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
})
afterEach(() => new Promise<void>(resolve => void server.close(() => resolve()).closeAllConnections()))

const clock = new FakeClock(1_700_000_000_987)
const signal = new AbortController().signal

function webhook(secret: string | undefined = SECRET): WebhookAction {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/T0K3N`
  return new WebhookAction({ name: 'desk', url, secret, timeoutMs: 10_000, clock })
}

describe('WebhookAction', () => {
  it('signs id, time and body', async () => {
    await webhook().deliver({ id: 'incident.7', notice: notice() }, signal)
    const [{ headers, body, path }] = requests as [Request]
    expect(path).toBe('/hooks/T0K3N')
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'webhook-id': 'incident.7',
      'webhook-timestamp': '1700000000',
      'webhook-signature': webhookSignature(SECRET, 'incident.7', 1_700_000_000, body),
    })
    expect(JSON.parse(body)).toEqual(notice())
  })

  it('makes the signature of the published test vector', () => {
    expect(
      webhookSignature(SECRET, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1_614_265_330, '{"test": 2432232314}'),
    ).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  })

  it('sends no signature without a secret', async () => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    const action = new WebhookAction({ name: 'desk', url, secret: undefined, timeoutMs: 10_000, clock })
    await action.deliver({ id: 'a.1', notice: notice() }, signal)
    expect(requests[0]!.headers).not.toHaveProperty('webhook-signature')
  })

  it('follows no redirect', async () => {
    answer = { status: 307, location: '/elsewhere' }
    await expect(webhook().deliver({ id: 'a.1', notice: notice() }, signal)).rejects.toMatchObject({
      code: 'ACTION_FAILED',
      message: expect.stringContaining('307'),
      details: { gone: false },
    })
    expect(requests.map(({ path }) => path)).toEqual(['/hooks/T0K3N'])
  })

  it('knows when the target is gone for good', async () => {
    answer = { status: 410 }
    await expect(webhook().deliver({ id: 'a.1', notice: notice() }, signal)).rejects.toMatchObject({
      details: { gone: true },
    })
  })

  it('tells nobody the address when nothing answers there', async () => {
    const action = webhook()
    await new Promise<void>(resolve => server.close(() => resolve()))
    const error = await action
      .deliver({ id: 'a.1', notice: notice() }, signal)
      .catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'ACTION_FAILED', message: expect.stringContaining('ECONNREFUSED') })
    expect(String((error as Error).message)).not.toContain('T0K3N')
    server.listen(0)
  })
})
