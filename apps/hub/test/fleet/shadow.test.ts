import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Address,
  type Command,
  type CommandReply,
  createLog,
  type DesiredConfig,
  DesiredConfig as DesiredSchema,
  decodeJson,
  fault,
  type ReportedConfig,
  settingsHash,
} from '@sightline/core'
import { Commands } from '@sightline/hub/fleet/commands.js'
import { fleetTables } from '@sightline/hub/fleet/fleet-tables.js'
import { Shadow } from '@sightline/hub/fleet/shadow.js'
import type { OutgoingMessage } from '@sightline/hub/ingest/ack-sender.js'
import { type LmdbRecordStore, openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FakeClock } from '../../../edge-agent/test/support/fake-clock.ts'

const log = createLog({ name: 'test', level: 'silent' })
const dock: Address = { site: 'plant', node: 'dock' }
const gate: Address = { site: 'plant', node: 'gate' }
const actor = 'user:ada'

let dir = ''
let clock: FakeClock
let store: LmdbRecordStore
let sent: OutgoingMessage[]
let shadow: Shadow
let commands: Commands
let broken = false

const publish = async (message: OutgoingMessage) => {
  if (broken) throw fault('NOT_READY', 'no broker')
  sent.push(message)
}

async function open(): Promise<void> {
  store = await openLmdbStore({ dir, clock, log, minFreeBytes: 0 })
  const tables = fleetTables(store.environment)
  shadow = new Shadow({ tables, publish, clock, log })
  commands = new Commands({ tables, publish, clock, log })
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'fleet-'))
  clock = new FakeClock()
  sent = []
  broken = false
  await open()
})
afterEach(async () => {
  await store.close()
  await rm(dir, { recursive: true, force: true })
})

function report(address: Address, change: Partial<ReportedConfig> = {}): Promise<void> {
  const issued = shadow.issued(address)
  return shadow.takeReported(address, {
    v: 1,
    version: issued?.version ?? 0,
    hash: issued?.hash ?? null,
    status: issued === undefined ? 'own' : 'applied',
    inForce: issued?.version ?? 0,
    at: 1,
    settings: {},
    ...change,
  })
}

const desiredOf = ({ payload }: OutgoingMessage): DesiredConfig => decodeJson(DesiredSchema, payload)

describe('what is desired of devices', () => {
  it('is versioned, hashed, retained, kept, and has an author', async () => {
    await shadow.put(dock, { settings: { thumbnails: 'none' }, actor })
    clock.advance(1000)
    await shadow.put(dock, { settings: { thumbnails: 'fired' }, actor: 'cli', expectedVersion: 1 })
    expect(sent.map(({ topic, retain, qos }) => [topic, retain, qos])).toEqual([
      ['sightline/v1/plant/cfg/desired/dock', true, 1],
      ['sightline/v1/plant/cfg/desired/dock', true, 1],
    ])
    expect(desiredOf(sent[1]!)).toMatchObject({
      version: 2,
      hash: settingsHash({ thumbnails: 'fired' }),
      settings: { thumbnails: 'fired' },
    })
    const stale = shadow.put(dock, { settings: {}, actor, expectedVersion: 1 })
    await expect(stale).rejects.toMatchObject({ code: 'CONFIG_CONFLICT', details: { version: 2 } })
    expect(shadow.history(dock).map(({ version, actor }) => [version, actor])).toEqual([
      [2, 'cli'],
      [1, 'user:ada'],
    ])
    await store.close()
    await open()
    sent = []
    await shadow.start()
    expect(sent.map(message => desiredOf(message).version)).toEqual([2])
  })

  it('is what the site wants, with what the device wants laid over it', async () => {
    await report(dock)
    await shadow.put(gate, { settings: { uplink: { window: 8 } }, actor })
    sent = []
    const settings = { thumbnails: 'none', uplink: { window: 2, batchItems: 16 } }
    await shadow.put({ site: 'plant' }, { settings, actor })
    expect(sent.map(message => [message.topic.split('/').at(-1), desiredOf(message).settings])).toEqual([
      ['dock', settings],
      ['gate', { thumbnails: 'none', uplink: { window: 8, batchItems: 16 } }],
    ])
    // Nothing new follows from this for the gate.
    await shadow.put(
      { site: 'plant' },
      { settings: { ...settings, uplink: { window: 3, batchItems: 16 } }, actor },
    )
    expect(sent).toHaveLength(3)
    await shadow.greet({ site: 'plant', node: 'new' })
    await shadow.greet({ site: 'plant', node: 'new' })
    await shadow.greet({ site: 'elsewhere', node: 'new' })
    expect(sent).toHaveLength(4)
    expect(shadow.issued({ site: 'plant', node: 'new' })?.settings).toMatchObject({ uplink: { window: 3 } })
  })

  it('shows how far a device is from it', async () => {
    const heard: Address[] = []
    shadow.onChange(address => heard.push(address))
    expect(shadow.drift(dock).state).toBe('none')
    await shadow.put(dock, { settings: { a: 1 }, actor })
    expect(shadow.drift(dock).state).toBe('unknown')
    await report(dock, { version: 0, hash: null, status: 'own', inForce: 0 })
    expect(shadow.drift(dock)).toMatchObject({ state: 'pending', since: clock.now() })
    await report(dock)
    expect(shadow.drift(dock).state).toBe('in-sync')
    await shadow.put(dock, { settings: { a: 2 }, actor })
    expect(shadow.drift(dock).state).toBe('pending')
    await report(dock, { status: 'rejected', inForce: 1, error: 'a: unknown key' })
    expect(shadow.drift(dock)).toMatchObject({ state: 'rejected', detail: 'a: unknown key' })
    expect(heard).toHaveLength(5)
    // Asked for anew, the same goes out again.
    await shadow.put(dock, { settings: { a: 2 }, actor })
    expect(shadow.drift(dock).state).toBe('pending')
    expect(shadow.issued(dock)?.version).toBe(3)
  })

  it('keeps credentials that were shown blacked out', async () => {
    const source = 'rtsp://me:secret@h/1'
    await shadow.put(dock, { settings: { cameras: [{ name: 'a', source }] }, actor })
    await shadow.put(dock, { settings: { cameras: [{ name: 'b', source: 'rtsp://…@h/1' }] }, actor })
    expect(shadow.document(dock)?.settings).toEqual({ cameras: [{ name: 'b', source }] })
  })

  it('has bounds, and survives a broker that is away', async () => {
    const settings = { big: 'x'.repeat(200_000) }
    await expect(shadow.put(dock, { settings, actor })).rejects.toMatchObject({ code: 'API_TOO_LARGE' })
    broken = true
    await shadow.put(dock, { settings: { a: 1 }, actor })
    broken = false
    await shadow.start()
    expect(sent).toHaveLength(1)
    for (let i = 0; i < 60; i++) await shadow.put(dock, { settings: { i }, actor })
    expect(shadow.history(dock)).toHaveLength(50)
  })
})

const reply = (
  id: string,
  status: CommandReply['status'],
  change: Partial<CommandReply> = {},
): CommandReply => ({
  v: 1,
  id,
  status,
  at: 1,
  ...change,
})

describe('commands to devices', () => {
  const send = (name: Command['command'] = 'doctor') =>
    commands.send(dock, { command: name, args: {}, actor })

  it('are kept with their replies; what was final stays', async () => {
    const heard: string[] = []
    commands.onChange((_address, row) => heard.push(commands.statusOf(row)))
    const { command } = await send()
    expect(sent).toMatchObject([{ topic: 'sightline/v1/plant/cmd/dock', qos: 1, retain: false }])
    for (const status of ['accepted', 'progress', 'done', 'failed'] as const)
      await commands.takeReply(dock, reply(command.id, status))
    await commands.takeReply(gate, reply(command.id, 'done'))
    await commands.takeReply(dock, reply('unknown-id', 'done'))
    expect(heard).toEqual(['sent', 'accepted', 'progress', 'done'])
    expect(commands.get(dock, command.id)).toMatchObject({ actor, command: { command: 'doctor' } })
    expect(() => commands.get(gate, command.id)).toThrow(/no command/)
  })

  it('go out again to a device that comes back in time, and expire otherwise', async () => {
    const first = await send()
    const second = await send('snapshot')
    await commands.takeReply(dock, reply(second.command.id, 'accepted'))
    sent = []
    await commands.resend(dock)
    expect(sent).toHaveLength(1)
    await clock.advance(300_000)
    await commands.resend(dock)
    expect(sent).toHaveLength(1)
    expect(commands.statusOf(first)).toBe('expired')
  })

  it('are the newest ones only, and the results of fewer', async () => {
    for (let i = 0; i < 205; i++) {
      const { command } = await send()
      await commands.takeReply(dock, reply(command.id, 'done', { result: { i } }))
      await clock.advance(1)
    }
    const rows = commands.list(dock, 1000)
    expect(rows).toHaveLength(200)
    const kept = rows.flatMap(({ replies }) =>
      replies.flatMap(({ result }) => (result === undefined ? [] : [result])),
    )
    expect(kept).toHaveLength(20)
    expect(kept[0]).toEqual({ i: 204 })
    const { command } = await send()
    for (let i = 0; i < 300; i++) await commands.takeReply(dock, reply(command.id, 'progress'))
    await commands.takeReply(dock, reply(command.id, 'done'))
    const { replies } = commands.get(dock, command.id)
    expect(replies.length).toBeLessThanOrEqual(101)
    expect(replies.at(-1)?.status).toBe('done')
  })
})
