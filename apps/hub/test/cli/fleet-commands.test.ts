import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeTopic, parseEnrollToken } from '@sightline/core'
import type { Hub } from '@sightline/hub/hub.js'
import { connectAsync } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nextEvent } from '../support/next-event.ts'
import { runningHub } from '../support/running-hub.ts'

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

let dir = ''
let hub: Hub
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cli-'))
  hub = await runningHub(dir)
})
afterAll(async () => {
  await hub?.stop()
  await rm(dir, { recursive: true, force: true })
})

async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: {
      PATH: process.env.PATH,
      SIGHTLINE_DATA_DIR: dir,
      SIGHTLINE_HTTP_PORT: String(hub.httpPort),
      ...env,
    },
  })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', chunk => {
    text.stdout += chunk
  })
  child.stderr.on('data', chunk => {
    text.stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { code, ...text }
}

/** Spends the token of a printed command at the running hub. */
async function redeem(command: string) {
  const [, url, token] = /--hub (\S+) --token (\S+)/.exec(command)!
  const response = await fetch(`${url}/api/v1/enroll`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, agent: '1' }),
  })
  return (await response.json()) as { secret: string; brokerUrl: string; hubUrl: string }
}

describe('sightline-hub, beside a running hub', () => {
  it('enrols, has a device rotate, and revokes it within five seconds', async () => {
    const { code, stdout } = await run(['enroll', '--site', 'plant', '--name', 'dock'])
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^sightline-agent enroll --hub http:\/\/127\.0\.0\.1:\d+ --token slt1\.[\w-]{43}\n$/,
    )
    const credential = await redeem(stdout)
    const id = 'plant~dock'
    const options = { clientId: id, username: id, password: credential.secret, reconnectPeriod: 0 }
    const device = await connectAsync(credential.brokerUrl, options, false)
    await device.subscribeAsync(nodeTopic('cmd', { site: 'plant', node: 'dock' }), { qos: 1 })

    const told = nextEvent(device, 'message')
    expect((await run(['devices', 'rotate', 'plant/dock'])).code).toBe(0)
    expect(JSON.parse(String((await told)[1])).command).toBe('rotate-credential')
    expect((await run(['devices', 'list'])).stdout).toMatch(/^plant\/dock {2}to rotate {2}last log-in /)

    const closed = nextEvent(device, 'close')
    expect((await run(['devices', 'revoke', 'plant/dock'])).stdout).toBe('plant/dock is revoked\n')
    const revokedMs = performance.now()
    await closed
    expect(performance.now() - revokedMs).toBeLessThan(5000)
    const { stdout: listed } = await run(['devices', 'list', '--json'])
    expect(JSON.parse(listed).devices).toMatchObject([{ site: 'plant', node: 'dock', rotationAskedAt: null }])
    expect(listed).not.toContain('Hash')
  })

  it('takes another address and life for a token, and says when a device is there already', async () => {
    const args = ['enroll', '--site', 'plant', '--name', 'gate', '--expires', '2h']
    const first = await run([...args, '--hub', 'https://hub.example/'])
    expect(first.stdout).toContain('--hub https://hub.example --token')
    const until = Date.parse(/before (\S+);/.exec(first.stderr)![1]!)
    expect(Math.round((until - Date.now()) / 60_000)).toBe(120)
    await redeem((await run(args)).stdout)
    expect((await run(args)).stderr).toContain('is enrolled already')
  })

  it.each([
    [['enroll', '--site', 'a/b', '--name', 'c'], 'API_BAD_REQUEST'],
    [['enroll', '--site', 'a', '--name', 'c', '--expires', 'soon'], 'API_BAD_REQUEST'],
    [['devices', 'revoke', 'plant/nobody'], 'DEVICE_UNKNOWN'],
    [['devices', 'revoke', 'nobody'], 'API_BAD_REQUEST'],
    [['certs', 'show'], 'TLS_MISSING'],
    [['certs', 'init', '--days', 'x'], 'API_BAD_REQUEST'],
  ])('%j fails with %s', async (args, wanted) => {
    const { code, stderr } = await run(args)
    expect(code).toBe(1)
    expect(stderr).toContain(wanted)
  })

  it('asks where the hub is when it cannot know', async () => {
    const { stderr } = await run(['enroll', '--site', 'a', '--name', 'b'], { SIGHTLINE_HTTP_PORT: '0' })
    expect(stderr).toContain('--hub')
  })
})

describe('sightline-hub certs', () => {
  it('makes what a hub beyond loopback needs, whose tokens then name the authority', async () => {
    const own = await mkdtemp(join(tmpdir(), 'cli-certs-'))
    const env = {
      SIGHTLINE_DATA_DIR: own,
      SIGHTLINE_HTTP_HOST: '0.0.0.0',
      SIGHTLINE_HTTP_PORT: '0',
      SIGHTLINE_MQTT_PORT: '0',
    }
    const refused = await run(['serve'], env)
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/TLS_MISSING[\s\S]*certs init[\s\S]*tls\.terminated/)
    const made = await run(['certs', 'init', '--name', 'hub.example', '--ip', '127.0.0.1'], env)
    expect(made.code).toBe(0)
    expect(made.stdout).toContain('names     hub.example, 127.0.0.1')
    const shown = await run(['certs', 'show'], env)
    expect(shown.stdout).toBe(made.stdout)
    const sha256 = /ca\.pem[\s\S]*?SHA-256 +(\w{64})/.exec(shown.stdout)![1]
    const { stdout } = await run(
      ['enroll', '--site', 'a', '--name', 'b', '--hub', 'https://hub.example'],
      env,
    )
    expect(parseEnrollToken(stdout.split(' ').at(-1)!)?.caSha256).toBe(sha256)
    expect((await run(['certs', 'init'], env)).stderr).toContain('CERTS_EXIST')
    expect((await run(['certs', 'renew', '--days', '5'], env)).stdout).toContain('in 4 days')
    await rm(own, { recursive: true })
  })
})
