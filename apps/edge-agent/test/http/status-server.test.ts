import { createServer } from 'node:net'
import { MetricsPage } from '@sightline/edge-agent/http/metrics-page.js'
import type { Reading } from '@sightline/edge-agent/http/reading.js'
import { StatusServer } from '@sightline/edge-agent/http/status-server.js'
import { Metrics } from '@sightline/edge-agent/metrics.js'
import { afterEach, expect, it } from 'vitest'
import { quiet } from '../support/quiet.ts'

const READING: Reading = {
  modelReady: false,
  starting: 'building-engine',
  online: true,
  provider: 'cpu',
  fingerprint: 'f'.repeat(64),
  rulesVersion: 3,
  outbox: { records: 7, bytes: 4096, dropped: 2 },
  outboxMaxBytes: 8192,
  cameras: [
    { camera: 'gate', status: 'running', lastFrameAt: 1_700_000_000_500 },
    { camera: 'yard', status: 'failed', lastFrameAt: null, error: 'CAMERA_FAILED: away' },
  ],
}

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function serve(change: Partial<Reading> = {}, port: number | undefined = 0) {
  const metrics = new Metrics()
  const read = () => ({ ...READING, ...change })
  const page = new MetricsPage({ metrics, read, version: '1.2.3' })
  const server = new StatusServer({ settings: { host: '127.0.0.1', port }, page, read, log: quiet })
  stops.push(() => server.stop())
  await server.start()
  return { metrics, server, url: `http://127.0.0.1:${server.port}` }
}

it('says that it lives, and that it is ready once the model is open', async () => {
  const starting = await serve()
  expect((await fetch(`${starting.url}/healthz`)).status).toBe(200)
  const notYet = await fetch(`${starting.url}/readyz`)
  expect([notYet.status, await notYet.json()]).toEqual([
    503,
    { status: 'starting', starting: 'building-engine', online: true, cameras: 2, failed: 1 },
  ])
  const { url } = await serve({ modelReady: true, starting: undefined })
  const ready = await fetch(`${url}/readyz`)
  expect([ready.status, await ready.json()]).toEqual([
    200,
    { status: 'ready', online: true, cameras: 2, failed: 1 },
  ])
})

it('gives metrics in base units', async () => {
  const { url, metrics } = await serve()
  metrics.framesSeen = 5
  metrics.encode.add(30)
  metrics.decision.add(45)
  const response = await fetch(`${url}/metrics`)
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4')
  const lines = (await response.text()).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      `sightline_agent_info{version="1.2.3",fingerprint="${READING.fingerprint}",provider="cpu"} 1`,
      'sightline_agent_model_ready 0',
      'sightline_agent_broker_connected 1',
      'sightline_agent_rules_version 3',
      'sightline_agent_camera_up{camera="gate"} 1',
      'sightline_agent_camera_up{camera="yard"} 0',
      'sightline_agent_camera_last_frame_timestamp_seconds{camera="gate"} 1700000000.5',
      'sightline_agent_frames_seen_total 5',
      'sightline_agent_outbox_bytes 4096',
      'sightline_agent_outbox_dropped_records_total 2',
      'sightline_agent_encode_seconds_sum 0.03',
      'sightline_agent_encode_seconds_bucket{le="0.03"} 1',
      'sightline_agent_decision_seconds_count 1',
    ]),
  )
  const counted = lines.filter(line => line.startsWith('sightline_agent_frames_seen_total '))
  await fetch(`${url}/metrics`)
  expect(counted).toHaveLength(1)
})

it('listens only when it is told a port, and answers nothing else', async () => {
  const off = new StatusServer({
    settings: { host: '127.0.0.1' },
    page: { text: async () => '', contentType: 'text/plain' },
    read: () => READING,
    log: quiet,
  })
  await off.start()
  expect(off.port).toBe(0)
  await off.stop()

  const { url } = await serve()
  expect((await fetch(`${url}/`)).status).toBe(404)
  expect((await fetch(`${url}/metrics`, { method: 'POST', body: 'x' })).status).toBe(405)
})

it('names the port that is taken', async () => {
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  stops.push(() => new Promise(resolve => other.close(() => resolve())))
  const { port } = other.address() as { port: number }
  await expect(serve({}, port)).rejects.toMatchObject({ code: 'PORT_IN_USE' })
})
