import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLog, hasSeq, nodeTopic, systemClock } from '@sightline/core'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { connectAsync } from 'mqtt'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ADDRESS, batchOf, SESSION } from './messages.ts'

const SCRIPT = fileURLToPath(new URL('taking-process.mjs', import.meta.url))
const DEVICES = 4
const KILL_AFTER = 200

let dir = ''
let child: ChildProcess
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kill-'))
  child = spawn(process.execPath, [SCRIPT, dir], { stdio: ['ignore', 'pipe', 'inherit'] })
})
afterEach(async () => {
  child.kill('SIGKILL')
  await rm(dir, { recursive: true })
})

/** Publishes one frame after another, a few on the way at a time, until the connection breaks. */
async function stream(port: number, node: string, onAck: (seq: number) => void): Promise<void> {
  const topic = nodeTopic('emb', { ...ADDRESS, node })
  const device = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: node, reconnectPeriod: 0 })
  device.on('error', () => {})
  let seq = 0
  const lane = async () => {
    while (device.connected) {
      const own = ++seq
      await device.publishAsync(topic, batchOf([own]), { qos: 1 })
      onAck(own)
    }
  }
  const lanes = Promise.allSettled(Array.from({ length: 8 }, lane))
  // Not `once`: it rejects on the reset that the kill causes.
  await new Promise<void>(resolve => device.on('close', resolve))
  device.end(true)
  await lanes
}

it('has on disk, once, everything that it acknowledged by PUBACK before it was killed', async () => {
  const [port] = (await once(child.stdout!, 'data')) as [Buffer]
  const acked: [node: string, seq: number][] = []
  const killed = once(child, 'exit')
  const streams = Array.from({ length: DEVICES }, (_, i) => {
    const node = `dock-${i}`
    return stream(Number(port.toString()), node, seq => {
      acked.push([node, seq])
      if (acked.length === KILL_AFTER) child.kill('SIGKILL')
    })
  })
  await Promise.all([killed, ...streams])
  expect(acked.length).toBeGreaterThanOrEqual(KILL_AFTER)

  const log = createLog({ name: 'test', level: 'silent' })
  const store = await openLmdbStore({ dir, clock: systemClock, log, minFreeBytes: 0 })
  const frames = [...store.scan(0)].map(({ node, seq }) => `${node} ${seq}`)
  expect(new Set(frames).size).toBe(frames.length)
  expect(frames).toEqual(expect.arrayContaining(acked.map(([node, seq]) => `${node} ${seq}`)))
  // What is acknowledged to the agent and what lies in the store are written together.
  for (let i = 0; i < DEVICES; i++) {
    const node = `dock-${i}`
    const set = store.stored(ADDRESS.site, node, SESSION)
    const own = frames.filter(name => name.startsWith(`${node} `)).map(name => Number(name.split(' ')[1]))
    expect(own.every(seq => hasSeq(set, seq))).toBe(true)
    expect(set.upTo + set.ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)).toBe(own.length)
  }
  await store.close()
})
