import { randomBytes } from 'node:crypto'
import {
  type Address,
  type Clock,
  type Command,
  type CommandReply,
  encodeJson,
  fault,
  type Log,
  messageOf,
  nodeTopic,
} from '@sightline/core'
import type { Publish } from '../ingest/ack-sender.ts'
import { sourceMatches, timeMatches } from '../store/frame-filter.ts'
import type { FrameFilter } from '../store/record-store.ts'
import type { CommandRow, FleetTables } from './fleet-tables.ts'
import { keyOf } from './shadow.ts'

const MAX_COMMANDS = 200
/** Results are pictures and logs: only those of the newest commands are kept. */
const MAX_RESULTS = 20
const MAX_REPLIES = 100
export const DEFAULT_EXPIRY_MS = 5 * 60_000
export const MAX_EXPIRY_MS = 24 * 3_600_000

export type CommandStatus = 'sent' | 'expired' | CommandReply['status']

export interface CommandRequest {
  readonly command: Command['command']
  readonly args: Readonly<Record<string, unknown>>
  readonly expiryMs?: number | undefined
  readonly actor: string
}

export interface CommandsOptions {
  readonly tables: FleetTables
  readonly publish: Publish
  readonly clock: Clock
  readonly log: Log
}

type Key = [string, number, string]

/** Sends commands to devices and keeps what becomes of them. */
export class Commands {
  readonly #options: CommandsOptions
  readonly #listeners = new Set<(address: Address, row: CommandRow) => void>()

  constructor(options: CommandsOptions) {
    this.#options = options
  }

  /** Hears of every command and every reply. Returns what ends the subscription. */
  onChange(listener: (address: Address, row: CommandRow) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves when it is stored and sent. A device that is away gets it when it comes back in time. @throws STORE_FAILED */
  async send(
    address: Address,
    { command: name, args, expiryMs, actor }: CommandRequest,
  ): Promise<CommandRow> {
    const { tables, clock, log } = this.#options
    const issuedAt = clock.now()
    const command: Command = {
      v: 1,
      id: randomBytes(12).toString('base64url'),
      command: name,
      args: { ...args },
      issuedAt,
      expiresAt: issuedAt + (expiryMs ?? DEFAULT_EXPIRY_MS),
    }
    const row: CommandRow = { command, actor, replies: [] }
    await tables.write(() => {
      tables.commands.put([keyOf(address), issuedAt, command.id], row)
      this.#prune(keyOf(address))
    })
    log.info({ ...address, id: command.id, command: name, actor }, 'command sent')
    await this.#publish(address, command)
    this.#tell(address, row)
    return row
  }

  /** A device has come: sends again what it has not answered. It carries out each id once. */
  async resend(address: Address): Promise<void> {
    const now = this.#options.clock.now()
    for (const { command, replies } of this.list(address, MAX_COMMANDS)) {
      if (replies.length === 0 && command.expiresAt > now) await this.#publish(address, command)
    }
  }

  /** Newest first. */
  list(address: Address, limit: number): CommandRow[] {
    return [...this.#rows(keyOf(address), limit)].map(({ value }) => value)
  }

  /** @throws API_NOT_FOUND */
  get(address: Address, id: string): CommandRow {
    const found = this.#find(address, id)
    if (found === undefined)
      throw fault('API_NOT_FOUND', `no command ${id} for ${address.site}/${address.node}`)
    return found.value
  }

  /** Results of commands, pictures and logs, that tell of what the filter names: how many there are. */
  countResults(filter: FrameFilter): number {
    return this.#results(filter).length
  }

  /** Takes them out of the commands, which stay; resolves with how many there were. @throws STORE_FAILED */
  forgetResults(filter: FrameFilter): Promise<number> {
    const { tables } = this.#options
    return tables.write(() => {
      const found = this.#results(filter)
      for (const { key, value } of found) tables.commands.put(key, withoutResults(value))
      return found.length
    })
  }

  #results(filter: FrameFilter): { key: Key; value: CommandRow }[] {
    return [...this.#options.tables.commands.getRange()].filter(({ key: [device, issuedAt], value }) => {
      if (!value.replies.some(({ result }) => result !== undefined)) return false
      const [site = '', node = ''] = device.split('~')
      // A log is of no camera, so only what names none takes it along.
      const { camera } = value.command.args
      if (typeof camera === 'string')
        return sourceMatches(filter, { site, node, camera }) && timeMatches(filter, issuedAt)
      const named = filter.camera ?? filter.cameras
      return (
        named === undefined &&
        sourceMatches(filter, { site, node, camera: '' }) &&
        timeMatches(filter, issuedAt)
      )
    })
  }

  /** Of one that was never answered, time decides. */
  statusOf({ command, replies }: CommandRow): CommandStatus {
    const last = replies.at(-1)
    if (last !== undefined) return last.status
    return command.expiresAt > this.#options.clock.now() ? 'sent' : 'expired'
  }

  /** A reply to a command that is not known any more says nothing. @throws STORE_FAILED */
  async takeReply(address: Address, reply: CommandReply): Promise<void> {
    const { tables } = this.#options
    const changed = await tables.write(() => {
      const found = this.#find(address, reply.id)
      if (found === undefined) return undefined
      const { key, value } = found
      // What was final stays: a message may come twice, and a device that was restarted knows less.
      if (isFinal(value.replies.at(-1))) return undefined
      const replies = isFinal(reply) ? value.replies : value.replies.slice(-(MAX_REPLIES - 1))
      const row = { ...value, replies: [...replies, reply] }
      tables.commands.put(key, row)
      return row
    })
    if (changed !== undefined) this.#tell(address, changed)
  }

  #find(address: Address, id: string): { key: Key; value: CommandRow } | undefined {
    for (const found of this.#rows(keyOf(address), MAX_COMMANDS))
      if (found.value.command.id === id) return found
    return undefined
  }

  /** Newest first. */
  *#rows(device: string, limit: number): Iterable<{ key: Key; value: CommandRow }> {
    const start: Key = [device, Number.MAX_SAFE_INTEGER, '']
    const end: Key = [device, 0, '']
    yield* this.#options.tables.commands.getRange({ start, end, reverse: true, limit })
  }

  /** Within a transaction. */
  #prune(device: string): void {
    const { commands } = this.#options.tables
    let at = 0
    for (const { key, value } of this.#rows(device, MAX_COMMANDS + 10)) {
      at++
      if (at > MAX_COMMANDS) commands.remove(key)
      else if (at > MAX_RESULTS && value.replies.some(({ result }) => result !== undefined))
        commands.put(key, withoutResults(value))
    }
  }

  async #publish(address: Address, command: Command): Promise<void> {
    const { publish, log } = this.#options
    const topic = nodeTopic('cmd', address)
    await publish({ topic, payload: encodeJson(command), qos: 1, retain: false }).catch(error =>
      log.warn({ ...address, id: command.id, reason: messageOf(error) }, 'command not published'),
    )
  }

  #tell(address: Address, row: CommandRow): void {
    for (const listener of this.#listeners) listener(address, row)
  }
}

function withoutResults(row: CommandRow): CommandRow {
  return { ...row, replies: row.replies.map(({ result: _gone, ...rest }) => rest) }
}

function isFinal(reply: CommandReply | undefined): boolean {
  return reply?.status === 'done' || reply?.status === 'failed'
}
