import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { describe, expect, it } from 'vitest'
import { delivery, frame } from './stores.ts'

const log = createLog({ name: 'test', level: 'silent' })

describe('record store: LMDB on a full disk', () => {
  it('refuses before the disk is quite full, and goes on when there is room again', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'store-'))
    const tooMuch = await openLmdbStore({
      dir,
      clock: systemClock,
      log,
      minFreeBytes: Number.MAX_SAFE_INTEGER,
    })
    await expect(tooMuch.append(delivery([frame(1)]))).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(tooMuch.counts().frames).toBe(0)
    await tooMuch.close()
    const roomy = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
    await expect(roomy.append(delivery([frame(1)]))).resolves.toMatchObject({ stored: { upTo: 1 } })
    await roomy.close()
    await rm(dir, { recursive: true })
  })
})
