import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockModel } from '@sightline/models/store/busy-lock.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let dir: string
let path: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sightline-lock-'))
  path = join(dir, 'model')
})

afterEach(() => rm(dir, { recursive: true, force: true }))

const heldBy = (host: string, pid: number) => writeFile(path, JSON.stringify({ host, pid }))

describe('the lock of a model', () => {
  it('is held by one at a time', async () => {
    const release = await lockModel(path)
    await expect(lockModel(path)).rejects.toMatchObject({ code: 'MODEL_PULL_BUSY' })
    await release()
    expect(existsSync(path)).toBe(false)
    await (await lockModel(path))()
  })

  it('is not taken from a process that runs', async () => {
    await heldBy(hostname(), process.ppid)
    await expect(lockModel(path)).rejects.toMatchObject({
      code: 'MODEL_PULL_BUSY',
      message: expect.stringContaining(String(process.ppid)),
    })
  })

  it('is taken from a process that has ended', async () => {
    await heldBy(hostname(), spawnSync(process.execPath, ['--version']).pid)
    await (await lockModel(path))()
  })

  it("is taken from an earlier process with this one's pid, as in a container that was restarted", async () => {
    await heldBy(hostname(), process.pid)
    await (await lockModel(path))()
  })

  it('is taken from another machine once that is silent', async () => {
    await heldBy('elsewhere', 1)
    await expect(lockModel(path)).rejects.toMatchObject({ code: 'MODEL_PULL_BUSY' })
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(path, longAgo, longAgo)
    await (await lockModel(path))()
  })

  it('goes to one of many that find it abandoned', async () => {
    await heldBy('elsewhere', 1)
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(path, longAgo, longAgo)
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockModel(path)))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  })
})
