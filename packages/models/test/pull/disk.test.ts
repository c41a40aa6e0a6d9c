import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { requireSpace } from '@sightline/models/pull/free-space.js'
import { type PullRequest, pullModel } from '@sightline/models/pull/pull.js'
import { Registry } from '@sightline/models/registry/registry.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pinned, tinyEntry, tinyFiles, unpinned } from '../store/tiny-models.ts'
import { FileServer } from './file-server.ts'

/** The text tower alone has 977 kB. */
const DISK_KB = 512

let dir: string
let mounted = false
const files = tinyFiles()
const server = new FileServer(files)

beforeAll(async () => {
  await server.start()
  dir = await mkdtemp(join(tmpdir(), 'sightline-disk-'))
  await mkdir(join(dir, 'small'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_KB}k`, 'tmpfs', join(dir, 'small')], {
      stdio: 'ignore',
    })
    mounted = true
  } catch {
    process.stderr.write('the tests of a full disk are skipped: mounting a tmpfs needs root\n')
  }
})

afterAll(async () => {
  await server.stop()
  if (mounted) execFileSync('umount', [join(dir, 'small')])
  await rm(dir, { recursive: true, force: true })
})

function request(more: Partial<PullRequest>): PullRequest {
  const entry = tinyEntry(path => pinned(path, files))
  return {
    name: 'tiny',
    registry: new Registry([entry]),
    layout: new StoreLayout(join(dir, 'small', 'store')),
    mirror: server.url,
    repin: false,
    reserveBytes: 0,
    ...more,
  }
}

describe('a disk that is too small', () => {
  it('is noticed before the first byte when the sizes are known', async context => {
    if (!mounted) return context.skip()
    await expect(pullModel(request({}))).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(server.requests.filter(({ path }) => path !== '/index.json')).toEqual([])
  })

  it('is noticed as it fills up, and what was written is taken back', async context => {
    if (!mounted) return context.skip()
    // Neither size nor Content-Length: only the write itself can tell.
    server.behaviour = { length: false }
    const registry = new Registry([tinyEntry(unpinned)])
    const small = request({ registry })
    await expect(pullModel(small)).rejects.toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringContaining('no space left'),
    })
    expect(existsSync(small.layout.modelDir('tiny'))).toBe(false)
    const left = await readdir(small.layout.stagingDir('tiny'), { recursive: true })
    expect(left.filter(name => name.endsWith('.part'))).toEqual([])
    server.behaviour = {}
    // The same pull, where there is room.
    expect(await pullModel({ ...small, layout: new StoreLayout(join(dir, 'store')) })).toMatchObject({
      changed: true,
    })
  })

  it('keeps a reserve for others', async () => {
    await expect(requireSpace(tmpdir(), 1, Number.MAX_SAFE_INTEGER / 2)).rejects.toMatchObject({
      code: 'DISK_FULL',
    })
    await expect(requireSpace(tmpdir(), 1, 0)).resolves.toBeUndefined()
  })
})
