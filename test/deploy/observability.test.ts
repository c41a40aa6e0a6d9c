import { execFileSync } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../support/api.ts'
import { ROOT, runHub, scratch, startAgent } from '../support/processes.ts'
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
}, 90_000)
afterAll(() => clean())

describe('metrics of a hub and an agent at work', () => {
  it.each(['prometheus/alerts.yml', 'grafana/sightline.json'])('have every name in %s', async file => {
    const used = new Set((await readFile(join(ROOT, 'deploy', file), 'utf8')).match(METRIC))
    const known = new Set([PAGES.hub, PAGES.agent].flatMap(names))
    expect(used.size).toBeGreaterThan(5)
    expect([...used].filter(name => !known.has(name))).toEqual([])
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
    execFileSync('promtool', ['check', 'config', 'prometheus.yml'], { cwd })
  })
})

/** Series of a metrics page, by name; of histograms `_bucket`, `_sum` and `_count`. */
function names(page: string): string[] {
  return [...page.matchAll(/^([a-z0-9_]+)[{ ]/gm)].map(([, name]) => name!)
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise(resolve => server.close(resolve))
  return port
}
