import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { eventually } from '../support/api.ts'
import { type Program, ROOT, runHub, scratch, startAgent } from '../support/processes.ts'
import { SAMPLES } from '../support/samples.ts'

const METRIC = /\b(?:sightline|process|nodejs)_[a-z0-9_]+/g
const PAGES: { hub: string; agent: string } = { hub: '', agent: '' }
let clean = async () => {}

beforeAll(async () => {
  const place = await scratch()
  clean = place.clean
  const hub = place.own(
    runHub(['serve'], {
      SIGHTLINE_DATA_DIR: join(place.dir, 'hub'),
      SIGHTLINE_HTTP_PORT: '0',
      SIGHTLINE_MQTT_PORT: '0',
    }),
  )
  const [, url, mqttPort] = await hub.line(/^hub ready: (http:\/\/\S+).* mqtt:\/\/\S+:(\d+)/)
  const statusPort = await freePort()
  place.own(
    await startAgent(place.dir, {
      mqttPort: Number(mqttPort),
      cameras: [{ name: 'yard', source: `folder:${join(SAMPLES, 'yard')}`, fps: 5 }],
      extra: { http: { port: statusPort } },
    }),
  )
  await fetch(`${url}/api/v1/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ text: 'a boat' }),
  })
  const page = async (at: string) => (await fetch(`${at}/metrics`)).text()
  PAGES.hub = await eventually('frames at the hub', async () => {
    const text = await page(url!)
    return /^sightline_node_last_data_timestamp_seconds\{/m.test(text) ? text : undefined
  })
  PAGES.agent = await page(`http://127.0.0.1:${statusPort}`)
})
afterAll(() => clean())

describe('metrics of a hub and an agent at work', () => {
  it.each(['prometheus/alerts.yml', 'grafana/sightline.json'])('have every name in %s', async file => {
    const used = new Set((await readFile(join(ROOT, 'deploy', file), 'utf8')).match(METRIC))
    const known = new Set([PAGES.hub, PAGES.agent].flatMap(page => [...names(page), ...declared(page)]))
    expect(used.size).toBeGreaterThan(5)
    expect([...used].filter(name => !known.has(name))).toEqual([])
  })

  it.each([
    'mqtt_refused_total',
    'mqtt_address_refused_total',
    'mqtt_auth_blocked_total',
    'mqtt_oversize_total',
    'mqtt_packet_timeouts_total',
    'mqtt_throttled_total',
    'node_outbox_records',
    'node_outbox_dropped_records',
    'node_outbox_dropped_events',
  ])('sightline_%s is both watched and shown', async name => {
    for (const file of ['prometheus/alerts.yml', 'grafana/sightline.json'])
      expect(await readFile(join(ROOT, 'deploy', file), 'utf8')).toContain(`sightline_${name}`)
  })

  it('are shown in panels that neither overlap nor share an id', async () => {
    const { panels } = JSON.parse(await readFile(join(ROOT, 'deploy/grafana/sightline.json'), 'utf8')) as {
      panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[]
    }
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
  })

  it('are in base units', () => {
    const odd = [PAGES.hub, PAGES.agent].flatMap(names).filter(name => {
      const unit = /_(?:milliseconds|ms|minutes|hours|kilobytes|kib|mb|mib|percent)(?:_|$)/
      return unit.test(name)
    })
    expect(odd).toEqual([])
    for (const page of Object.values(PAGES)) {
      for (const [, name, type] of page.matchAll(/^# TYPE (\S+) (\S+)$/gm))
        expect([name, type === 'counter']).toEqual([name, name!.endsWith('_total')])
    }
  })

  it('pass promtool', ({ skip }) => {
    try {
      execFileSync('promtool', ['--version'])
    } catch {
      process.stderr.write('skipped: promtool is not installed (apt-get install prometheus)\n')
      skip()
    }
    for (const input of Object.values(PAGES)) execFileSync('promtool', ['check', 'metrics'], { input })
    const cwd = join(ROOT, 'deploy/prometheus')
    // The certificate and the key that it names are the operator's.
    execFileSync('promtool', ['check', 'config', '--syntax-only', 'prometheus.yml'], { cwd })
    execFileSync('promtool', ['check', 'rules', 'alerts.yml'], { cwd })
  })
})

describe('a scrape of a hub where people sign in', () => {
  it('gets in as prometheus.yml says, with a key from a file, and not without', async () => {
    const place = await scratch()
    try {
      const env = {
        SIGHTLINE_DATA_DIR: join(place.dir, 'hub'),
        SIGHTLINE_HTTP_PORT: '0',
        SIGHTLINE_MQTT_PORT: '0',
        SIGHTLINE_AUTH_REQUIRED: 'always',
      }
      const hub = place.own(runHub(['serve'], env))
      const [, url] = await hub.line(/^hub ready: (http:\/\/\S+)/)
      const config = parse(await readFile(join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8')) as {
        scrape_configs: { job_name: string; authorization?: { type: string; credentials_file: string } }[]
      }
      const { authorization } = config.scrape_configs.find(({ job_name }) => job_name === 'sightline-hub')!
      expect(authorization).toMatchObject({ type: 'Bearer', credentials_file: expect.any(String) })
      // What `keys add … > FILE` writes; Prometheus trims it.
      const key = await output(place.own(runHub(['keys', 'add', 'prometheus', '--role', 'viewer'], env)))
      const scrape = (headers: Record<string, string>) => fetch(`${url}/metrics`, { headers })
      expect((await scrape({})).status).toBe(401)
      const answer = await scrape({ authorization: `${authorization!.type} ${key.trim()}` })
      expect(answer.status).toBe(200)
      expect(await answer.text()).toMatch(/^sightline_hub_info\{/m)
    } finally {
      await place.clean()
    }
  })
})

async function output(program: Program): Promise<string> {
  expect([await program.exit(), program.stderr]).toEqual([0, expect.stringMatching(/^key /m)])
  return program.lines.join('\n')
}

/** Series of a metrics page, by name; of histograms `_bucket`, `_sum` and `_count`. */
function names(page: string): string[] {
  return [...page.matchAll(/^([a-z0-9_]+)[{ ]/gm)].map(([, name]) => name!)
}

/** With those that have no value here, as the temperature of a virtual machine. */
function declared(page: string): string[] {
  return [...page.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}
