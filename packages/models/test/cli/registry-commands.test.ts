import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { addRegistryCommands } from '@sightline/models/cli/registry-commands.js'
import { Command } from 'commander'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FileServer } from '../pull/file-server.ts'
import { type Files, tinyEntry, tinyFiles, unpinned } from '../store/tiny-models.ts'

let dir: string
let files: Files
let registry: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-cli-'))
  files = tinyFiles()
  registry = join(dir, 'models.json')
  await writeFile(registry, JSON.stringify({ schema: 1, models: [tinyEntry(unpinned)] }))
})

afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
  await rm(dir, { recursive: true, force: true })
})

/** What the command printed. */
async function run(...args: string[]): Promise<string> {
  const lines: string[] = []
  vi.spyOn(console, 'log').mockImplementation(line => void lines.push(String(line)))
  vi.spyOn(process.stderr, 'write').mockImplementation(() => true)
  const program = addRegistryCommands(new Command('sightline-models').exitOverride())
  await program.parseAsync([...args, '--store', join(dir, 'store')], { from: 'user' })
  vi.restoreAllMocks()
  return lines.join('\n')
}

async function folder(content: Files): Promise<string> {
  for (const [path, bytes] of Object.entries(content)) {
    await mkdir(dirname(join(dir, 'export', path)), { recursive: true })
    await writeFile(join(dir, 'export', path), bytes)
  }
  return join(dir, 'export')
}

describe('sightline-models', () => {
  it('lists the registry', async () => {
    const text = await run('list')
    expect(text).toMatch(/clip-vit-b32-int8 .*512-d .*> 154 MB .*pinned .*63\.3 % ImageNet-1k/)
    expect(text).toMatch(/openclip-vit-h14-laion2b .*size unknown .*unpinned/)
  })

  it('pulls from the mirror of the environment, and shows it in the list', async () => {
    const server = await new FileServer(files).start()
    vi.stubEnv('SIGHTLINE_MODEL_MIRROR', server.url)
    try {
      const text = await run('pull', 'tiny', '--registry', registry)
      expect(text).toMatch(/^tiny:[0-9a-f]{12} {2}in /)
      expect(text).toContain('trusted on first use: tokenizer_config.json')
      expect(text).toContain('licence MIT')
    } finally {
      await server.stop()
    }
    expect(await run('list', '--registry', registry)).toMatch(/^\* tiny /m)
    const { store } = JSON.parse(await run('list', '--json'))
    expect(store[0]).toMatchObject({ name: 'tiny' })
  })

  it("imports in the layout of an entry, or a model of one's own", async () => {
    const at = await folder(files)
    expect(await run('import', at, 'tiny', '--registry', registry)).toMatch(/^tiny:/)
    const own = await run('import', at, 'own', '--context-length', '16', '--license', 'MIT')
    expect(own).toMatch(/^own:/)
    expect(own).toContain('assumed: logit scale 100')
    expect(own).not.toContain('assumed: licence')
    expect(await run('list')).toMatch(/Only in .*\n\* own /)
  })

  it('fails with a code', async () => {
    await expect(run('pull', 'nothing')).rejects.toMatchObject({ code: 'MODEL_UNKNOWN' })
    await expect(run('import', join(dir, 'missing'), 'own')).rejects.toMatchObject({ code: 'MODEL_MISSING' })
  })
})
