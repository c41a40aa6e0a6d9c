import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandReply, conforms, decodeJson, encodeJson, fault } from '@sightline/core'
import {
  CommandDesk,
  type CommandHandler,
  handler,
  SavedCommands,
} from '@sightline/edge-agent/commands/command-desk.js'
import { SavedDocument } from '@sightline/edge-agent/saved-document.js'
import { Type } from 'typebox'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'
import { until } from '../support/until.ts'

let dir = ''
let clock: FakeClock
let online: boolean
let replies: CommandReply[]
let runs: string[]
const desks: CommandDesk[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'commands-'))
  clock = new FakeClock()
  online = true
  replies = []
  runs = []
})
afterEach(async () => {
  await Promise.all(desks.splice(0).map(desk => desk.stop()))
  await rm(dir, { recursive: true, force: true })
})

const never = new Promise<never>(() => {})
const none = Type.Object({}, { additionalProperties: false })
const handlers: Record<string, CommandHandler> = {
  echo: handler({
    args: Type.Object({ text: Type.String() }),
    timeoutMs: 1000,
    run: async ({ text }, { progress }) => {
      runs.push(text)
      progress('half way, rtsp://me:canary@h')
      return { text }
    },
  }),
  fail: handler({
    args: none,
    timeoutMs: 1000,
    run: async () => {
      throw fault('CAMERA_UNKNOWN', 'no such camera')
    },
  }),
  hang: handler({ args: none, timeoutMs: 1000, run: () => never }),
  big: handler({ args: none, timeoutMs: 1000, run: async () => 'x'.repeat(300_000) }),
}

async function started(goingOn: string | null = null): Promise<CommandDesk> {
  const desk = new CommandDesk({
    handlers,
    file: new SavedDocument({ path: join(dir, 'commands.json'), schema: SavedCommands, log: quiet }),
    send: async payload => {
      if (!online) throw fault('BROKER_UNREACHABLE', 'offline')
      replies.push(decodeJson(CommandReply, payload))
    },
    clock,
    log: quiet,
  })
  desks.push(desk)
  await desk.load(goingOn)
  return desk
}

function command(name: string, args: Record<string, unknown> = {}, change: Record<string, unknown> = {}) {
  const issuedAt = clock.now()
  return encodeJson({
    v: 1,
    id: `id-of-${name}`,
    command: name,
    args,
    issuedAt,
    expiresAt: issuedAt + 60_000,
    ...change,
  })
}

const outcome = () => replies.map(({ status, code }) => (code === undefined ? status : `${status} ${code}`))

describe('commands', () => {
  it('are accepted, carried out once and answered', async () => {
    const desk = await started()
    await desk.offer(command('echo', { text: 'a' }))
    await desk.offer(command('echo', { text: 'a' }))
    await until(() => replies.length === 3)
    expect(outcome()).toEqual(['accepted', 'progress', 'done'])
    expect(replies.at(-1)?.result).toEqual({ text: 'a' })
    expect(JSON.stringify(replies)).not.toContain('canary')
    expect(replies.every(reply => conforms(CommandReply, reply))).toBe(true)
    await desk.stop()
    await (await started()).offer(command('echo', { text: 'a' }))
    expect(runs).toEqual(['a'])
    expect(replies).toHaveLength(3)
  })

  it.each([
    ['unknown', {}, {}, 'COMMAND_UNKNOWN'],
    ['echo', { text: 1 }, {}, 'PAYLOAD_INVALID'],
    ['echo', { text: 'late' }, { expiresAt: 1 }, 'COMMAND_EXPIRED'],
    ['fail', {}, {}, 'CAMERA_UNKNOWN'],
    ['big', {}, {}, 'PAYLOAD_INVALID'],
  ])('say why they fail: %s %j', async (name, args, change, code) => {
    const desk = await started()
    await desk.offer(command(name, args, change))
    await until(() => replies.at(-1)?.status === 'failed')
    expect(replies.at(-1)).toMatchObject({ code })
    expect(runs).toEqual([])
  })

  it('have a time, and a limit of how many are at work', async () => {
    const desk = await started()
    const working = Array.from({ length: 8 }, (_, i) =>
      desk.offer(command('hang', {}, { id: `command-${i}` })),
    )
    await until(() => replies.length === 8)
    await desk.offer(command('echo', { text: 'a' }))
    await until(() => replies.length === 9)
    expect(replies.at(-1)).toMatchObject({ code: 'COMMAND_BUSY' })
    await clock.advance(1001)
    await Promise.all(working)
    await until(() => replies.length === 17)
    expect(outcome().slice(9)).toEqual(Array(8).fill('failed COMMAND_TIMEOUT'))
  })

  it('are answered once there is a connection, the outcome also after a restart', async () => {
    const desk = await started()
    online = false
    await desk.offer(command('echo', { text: 'a' }))
    await settled()
    expect(replies).toEqual([])
    online = true
    desk.flush()
    await until(() => replies.length === 3)

    online = false
    const hanging = desk.offer(command('hang'))
    await until(() => clock.sleeping.length > 0)
    // As if it were killed: nothing of this desk is waited for.
    online = true
    const next = await started()
    next.flush()
    await until(() => replies.length === 4)
    expect(replies.at(-1)).toMatchObject({ id: 'id-of-hang', status: 'failed', code: 'COMMAND_INTERRUPTED' })
    await desk.stop()
    await hanging
  })

  it('that outlive the agent are answered by whoever finishes them', async () => {
    const desk = await started()
    online = false
    void desk.offer(command('hang'))
    await until(() => clock.sleeping.length > 0)
    online = true
    const next = await started('id-of-hang')
    next.flush()
    await settled()
    expect(replies).toEqual([])
    next.finish('id-of-hang', undefined, { changed: true })
    await until(() => replies.length === 1)
    expect(replies[0]).toMatchObject({ id: 'id-of-hang', status: 'done' })
  })

  it('that cannot be read are left alone', async () => {
    const desk = await started()
    await desk.offer(Buffer.from('{'))
    await desk.offer(encodeJson({ v: 2 }))
    expect(replies).toEqual([])
  })
})
