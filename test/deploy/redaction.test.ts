import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createLog, encodeJson, fault } from '@sightline/core'
import { connectAsync } from 'mqtt'
import { afterEach, expect, it } from 'vitest'
import { eventually } from '../support/api.ts'
import { runAgent, runHub, scratch } from '../support/processes.ts'
import { SAMPLES } from '../support/samples.ts'

/** Each stands where a person would put a secret; none may come out again. */
const CANARIES = {
  password: 'canary-password-7f3a',
  parameter: 'canary-parameter-91bc',
  webhook: 'Y2FuYXJ5LXdlYmhvb2stc2VjcmV0LTAxMjM0NTY3ODk=',
  webhookUrl: 'canary-webhook-url-5d2e',
  bearer: 'canary-bearer-c0ffee',
  basic: Buffer.from('operator:canary-basic-42').toString('base64'),
  cookie: 'canary-cookie-1b2d',
  token: 'slt1.canaryTokenCanaryToken0123456789abcdefghi',
  mqttPassword: 'canary-mqtt-password-aa55',
} as const

const cleanups: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean()
})

function expectNoCanary(text: string): void {
  const found = Object.entries(CANARIES).filter(([, secret]) => text.includes(secret))
  expect(found.map(([name]) => name)).toEqual([])
}

it('takes secrets out of a line wherever they stand, and leaves it JSON', () => {
  const lines: string[] = []
  const log = createLog({
    name: 'test',
    level: 'trace',
    destination: { write: line => void lines.push(line) },
  })
  const url = `rtsp://admin:${CANARIES.password}@10.0.0.1/live?channel=1&pwd=${CANARIES.parameter}`
  log.info({ url, note: 'mail me@example.org' }, `cannot open ${url}`)
  log.error({ err: fault('CAMERA_FAILED', url, { cause: new TypeError(url) }) }, 'failed')
  log.debug({ headers: { authorization: `Bearer ${CANARIES.bearer}`, cookie: CANARIES.cookie } }, 'request')
  log.trace({ list: [{ deep: { deeper: url } }], text: `Authorization: Bearer ${CANARIES.bearer}` }, 'deep')
  log.warn(`enrolling with ${CANARIES.token} and whsec_${CANARIES.webhook}`)
  log.child({ source: url }).info({ token: CANARIES.token, credential: CANARIES.password }, 'child')
  expectNoCanary(lines.join(''))
  const [first] = lines.map(line => JSON.parse(line) as Record<string, unknown>)
  expect(first).toMatchObject({
    url: 'rtsp://…@10.0.0.1/live?channel=1&pwd=…',
    note: 'mail me@example.org',
    msg: 'cannot open rtsp://…@10.0.0.1/live?channel=1&pwd=…',
  })
  expect(lines).toHaveLength(6)
})

it('never logs a secret of the settings or of a request, at level trace, while everything fails', async () => {
  const { dir, own, clean } = await scratch()
  cleanups.push(clean)
  const hub = own(
    runHub(['serve'], {
      SIGHTLINE_DATA_DIR: join(dir, 'hub'),
      SIGHTLINE_HTTP_PORT: '0',
      SIGHTLINE_MQTT_PORT: '0',
      SIGHTLINE_LOG_LEVEL: 'trace',
    }),
  )
  const [, url, mqttPort] = await hub.line(/^hub ready: (http:\/\/\S+).* mqtt:\/\/\S+:(\d+)/)
  // Refuses everything that cameras and webhooks ask of it, and repeats it, as careless servers do.
  const careless = createServer((request, reply) => {
    request.resume()
    reply.writeHead(401, `no ${request.headers.authorization ?? ''}`).end(`${request.url}`)
  })
  careless.listen(0, '127.0.0.1')
  await once(careless, 'listening')
  cleanups.push(async () => {
    careless.closeAllConnections()
    careless.close()
  })
  const { port } = careless.address() as AddressInfo
  const secretUrl = (scheme: string, at: string) =>
    `${scheme}://admin:${CANARIES.password}@${at}?channel=1&password=${CANARIES.parameter}`
  const settings = {
    node: 'agent-1',
    dataDir: join(dir, 'agent'),
    cameras: [
      { name: 'refused', source: secretUrl('http', `127.0.0.1:${port}/snapshot.jpg`) },
      { name: 'away', source: secretUrl('rtsp', '127.0.0.1:9/live') },
      { name: 'nowhere', source: secretUrl('http', '127.0.0.1:9/snapshot.jpg') },
      { name: 'lobby', source: `folder:${join(SAMPLES, 'lobby')}`, fps: 5 },
    ],
    http: { port: 0 },
    broker: { url: `mqtt://node:${CANARIES.mqttPassword}@127.0.0.1:${mqttPort}` },
    actions: [
      {
        name: 'tell',
        type: 'webhook',
        url: `http://127.0.0.1:${port}/${CANARIES.webhookUrl}`,
        secret: `whsec_${CANARIES.webhook}`,
        retries: 0,
      },
    ],
  }
  const file = join(dir, 'agent.yaml')
  await writeFile(file, JSON.stringify(settings))
  const agent = own(runAgent(['run', '--announce', '--config', file], { SIGHTLINE_LOG_LEVEL: 'trace' }))
  await agent.line(/^agent ready/)
  const lineOf = (text: string) => agent.stderr.split('\n').find(each => each.includes(text))
  await eventually('cameras that failed', async () =>
    ['refused', 'away', 'nowhere'].every(name => lineOf(`"camera":"${name}"`)) ? true : undefined,
  )
  const statusPort = /"port":(\d+),"msg":"status server listens"/.exec(agent.stderr)?.[1]
  await requests(url!, Number(mqttPort))
  const metrics = await (await fetch(`http://127.0.0.1:${statusPort}/metrics`)).text()
  const hubMetrics = await (await fetch(`${url}/metrics`)).text()
  const check = own(runAgent(['config', 'check', file]))
  await check.exit()

  await agent.stop()
  await hub.stop()
  expectNoCanary(agent.stderr + agent.lines.join('\n'))
  expectNoCanary(hub.stderr + hub.lines.join('\n'))
  expectNoCanary(metrics + hubMetrics)
  expectNoCanary(check.lines.join('\n'))
})

/** What a browser, a script and a broken client might send. */
async function requests(url: string, mqttPort: number): Promise<void> {
  const headers = {
    authorization: `Bearer ${CANARIES.bearer}`,
    cookie: `session=${CANARIES.cookie}`,
    'content-type': 'application/json',
  }
  for (const path of [`/api/v1/frames?token=${CANARIES.parameter}`, '/api/v1/nothing', '/healthz'])
    await fetch(`${url}${path}`, { headers })
  await fetch(`${url}/api/v1/enroll`, {
    method: 'POST',
    headers: { ...headers, authorization: `Basic ${CANARIES.basic}` },
    body: JSON.stringify({ token: CANARIES.token, agent: '1.0.0' }),
  })
  await fetch(`${url}/api/v1/search`, { method: 'POST', headers, body: `{"broken": "${CANARIES.token}"` })
  const client = await connectAsync(`mqtt://127.0.0.1:${mqttPort}`, {
    clientId: 'default~intruder',
    username: 'default~intruder',
    password: CANARIES.mqttPassword,
    reconnectPeriod: 0,
  }).catch(() => undefined)
  await client?.publishAsync('sightline/v1/default/state/intruder', encodeJson({ token: CANARIES.token }))
  await client?.endAsync()
}
