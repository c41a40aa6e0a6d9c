import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url))

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'agent-cli-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

async function agent(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: dir,
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.on('data', chunk => {
    out += chunk
  })
  child.stderr.on('data', chunk => {
    err += chunk
  })
  const [code] = await once(child, 'close')
  return { code, out, err }
}

async function configFile(text: string): Promise<string> {
  const path = join(dir, 'agent.yaml')
  await writeFile(path, text)
  return path
}

describe('sightline-agent', () => {
  it('prints its version and the schema of its settings', async () => {
    expect((await agent(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/)
    expect(JSON.parse((await agent(['config', 'schema'])).out)).toMatchObject({
      $id: 'sightline:agent-settings',
    })
  })

  it('checks settings, fills in defaults and environment, and hides credentials', async () => {
    const path = await configFile('cameras: [{ name: gate, source: "rtsp://me:secret@host/1" }]')
    const { code, out } = await agent(['config', 'check', path], {
      SIGHTLINE_SITE: 'dock',
      SIGHTLINE_NODE: 'n-1',
    })
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      site: 'dock',
      node: 'n-1',
      cameras: [{ source: 'rtsp://…@host/1' }],
    })
    expect(out).not.toMatch(/secret/)
  })

  it.each([
    ['settings: unknown', /^CONFIG_INVALID: .*\nsettings: unknown key\n→ Correct every listed path/],
    ['cameras: [{ name: gate, source: "gopher://x" }]', /^CAMERA_BAD_SOURCE: .*gopher.*\n→ Use folder:DIR/],
    ['model: { dir: ./nowhere }', /^MODEL_MISSING: .*nowhere.*\n→ Point model\.dir/],
    ['cameras: [', /^CONFIG_UNREADABLE: .*agent\.yaml/],
  ])('says what is wrong with %j and what to do', async (text, message) => {
    const { code, out, err } = await agent(['run', '--config', await configFile(text)])
    expect(code).toBe(1)
    expect(err).toMatch(message)
    expect(out).toBe('')
  })
})
