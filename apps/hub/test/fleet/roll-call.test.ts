import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, decodeJson, NodeState, systemClock } from '@sightline/core'
import { RollCall } from '@sightline/hub/fleet/roll-call.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { expect, it } from 'vitest'
import { stateOf } from '../ingest/messages.ts'

const log = createLog({ name: 'test', level: 'silent' })

it('does not keep the hub from starting on a full disk', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roll-call-'))
  const state = decodeJson(NodeState, stateOf())
  const store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
  await store.updateNode('plant', 'dock', { seenAt: 10, state })
  await store.close()
  const full = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: Number.MAX_SAFE_INTEGER })
  await new RollCall({ store: full, log }).start()
  expect(full.nodes()).toMatchObject([{ node: 'dock', lastSeenAt: 10 }])
  await full.close()
  await rm(dir, { recursive: true })
})

it('counts nobody as online who has not reported since the hub started', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'roll-call-'))
  const store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
  const state = decodeJson(NodeState, stateOf({ rulesVersion: 4 }))
  await store.updateNode('plant', 'dock', { seenAt: 10, state })
  await store.updateNode('plant', 'gate', { seenAt: 20, state: { ...state, online: false } })
  await store.updateNode('plant', 'new', { seenAt: 30 })
  const rollCall = new RollCall({ store, log })
  await rollCall.start()
  expect(store.nodes()).toMatchObject([
    { node: 'dock', lastSeenAt: 10, state: { online: false, rulesVersion: 4 } },
    { node: 'gate', lastSeenAt: 20, state: { online: false } },
    { node: 'new', lastSeenAt: 30, state: null },
  ])
  await rollCall.stop()
  await store.close()
  await rm(dir, { recursive: true })
})
