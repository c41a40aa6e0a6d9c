import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createLog, systemClock } from '@sightline/core'
import { LmdbDeviceRegistry } from '@sightline/hub/fleet/lmdb-device-registry.js'
import { hashSecret } from '@sightline/hub/fleet/secrets.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { expect, it } from 'vitest'

const SCRIPT = fileURLToPath(new URL('redeeming-process.mjs', import.meta.url))
const log = createLog({ name: 'test', level: 'silent' })

it('gives each token to one of several processes, and sees what they changed', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'processes-'))
  const store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
  const registry = new LmdbDeviceRegistry(store.environment)
  const hashes = Array.from({ length: 40 }, (_, i) => hashSecret(`token ${i}`))
  const now = Date.now()
  await Promise.all(
    hashes.map((tokenHash, i) =>
      registry.putEnrolment({
        id: tokenHash.slice(0, 16),
        tokenHash,
        site: 'plant',
        node: `n${i}`,
        createdAt: now,
        expiresAt: now + 600_000,
        createdBy: 'test',
      }),
    ),
  )
  const children = [0, 1, 2].map(() => spawn(process.execPath, [SCRIPT, dir]))
  const lines = children.map(child => createInterface({ input: child.stdout })[Symbol.asyncIterator]())
  await Promise.all(lines.map(each => each.next()))
  for (const child of children) child.stdin.end(hashes.join('\n'))
  const won = await Promise.all(lines.map(async each => JSON.parse((await each.next()).value)))
  await Promise.all(children.map(child => child.exitCode ?? once(child, 'exit')))
  expect(won.flat().sort()).toEqual([...hashes].sort())
  expect(registry.devices()).toHaveLength(40)
  expect(registry.revision).toBe(40)
  await store.close()
  await rm(dir, { recursive: true })
})
