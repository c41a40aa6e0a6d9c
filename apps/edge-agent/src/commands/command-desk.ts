import {
  type Clock,
  Command,
  type CommandReply,
  conforms,
  decodeJson,
  type ErrorCode,
  encodeJson,
  fault,
  faultLines,
  isFault,
  type Log,
  messageOf,
  redactText,
  schemaFaults,
} from '@sightline/core'
import { type Static, type TSchema, Type } from 'typebox'
import type { SavedDocument } from '../saved-document.ts'

export interface CommandContext {
  readonly id: string
  /** Aborts when time is up, or the agent stops. */
  readonly signal: AbortSignal
  progress(message: string): void
}

export interface CommandHandler<T extends TSchema = TSchema> {
  readonly args: T
  readonly timeoutMs: number
  /** What it resolves with is the result of the reply: at most 256 KiB as JSON. */
  run(args: Static<T>, context: CommandContext): Promise<unknown>
}

/** Ties the arguments' type to their schema. */
export function handler<T extends TSchema>(made: CommandHandler<T>): CommandHandler {
  return made as unknown as CommandHandler
}

/** What was begun, oldest first: an id in it is never carried out again. */
export const SavedCommands = Type.Object({
  v: Type.Literal(1),
  commands: Type.Array(
    Type.Object({
      id: Type.String(),
      /** The hub has its outcome. */
      told: Type.Boolean(),
    }),
    { maxItems: 1024 },
  ),
})
type SavedCommands = Static<typeof SavedCommands>

/** A command of any name: that this agent does not know it is an answer, not a broken payload. */
const AnyCommand = Type.Object(
  { ...Command.properties, command: Type.String({ maxLength: 64 }) },
  { additionalProperties: false },
)
type AnyCommand = Static<typeof AnyCommand>

const MAX_REMEMBERED = 256
const MAX_AT_ONCE = 8
const MAX_UNSENT = 256
const MAX_RESULT_BYTES = 256 * 1024
const MAX_MESSAGE_CHARS = 2000

export interface CommandDeskOptions {
  readonly handlers: Readonly<Record<string, CommandHandler>>
  readonly file: SavedDocument<typeof SavedCommands>
  /** Resolves once the broker has it. */
  readonly send: (payload: Uint8Array) => Promise<void>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Takes commands and answers them. Each is carried out at most once: its id is on disk before it begins. What becomes of
 * it is told until the hub's broker has it, if need be after a restart.
 */
export class CommandDesk {
  readonly #options: CommandDeskOptions
  readonly #stopping = new AbortController()
  readonly #running = new Set<Promise<void>>()
  #known: SavedCommands['commands'] = []
  #unsent: CommandReply[] = []
  #sending: Promise<void> = Promise.resolve()
  #writing: Promise<void> = Promise.resolve()

  constructor(options: CommandDeskOptions) {
    this.#options = options
  }

  /** @param goingOn id of a command whose outcome is still to come, see `finish` */
  async load(goingOn: string | null): Promise<void> {
    this.#known = (await this.#options.file.read())?.commands ?? []
    for (const { id, told } of this.#known) {
      if (told || id === goingOn) continue
      this.finish(id, fault('COMMAND_INTERRUPTED', 'the agent stopped before its outcome was told'))
    }
  }

  /** A command as it came. Never throws. */
  async offer(payload: Uint8Array): Promise<void> {
    const { clock, log } = this.#options
    let command: AnyCommand
    try {
      command = decodeJson(AnyCommand, payload)
    } catch (err) {
      log.warn({ err }, 'command not readable')
      return
    }
    const { id, expiresAt } = command
    // MQTT may bring a message twice; the outcome was told, or will be.
    if (this.#known.some(known => known.id === id) || this.#stopping.signal.aborted) return
    this.#known = [...this.#known, { id, told: false }].slice(-MAX_REMEMBERED)
    if (this.#running.size >= MAX_AT_ONCE) {
      this.finish(id, fault('COMMAND_BUSY', `${MAX_AT_ONCE} commands are at work`))
      return
    }
    const lateMs = clock.now() - expiresAt
    const work =
      lateMs > 0
        ? Promise.reject(
            fault(
              'COMMAND_EXPIRED',
              `it expired ${Math.ceil(lateMs / 1000)} s ago by the clock of the device`,
            ),
          )
        : this.#carryOut(command)
    const running = work
      .then(result => this.finish(id, undefined, result))
      .catch(error => this.finish(id, error))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
    await running
  }

  /** Tells the outcome of a command: of one that outlived the agent's last life, too. */
  finish(id: string, error: unknown, result?: unknown): void {
    const { log } = this.#options
    if (error !== undefined) {
      log.warn({ id, err: error }, 'command failed')
      this.#reply({ id, ...failure(error) })
      return
    }
    const reply = { id, status: 'done', ...(result === undefined ? {} : { result }) } as const
    const bytes = encodeJson(reply).byteLength
    if (bytes > MAX_RESULT_BYTES) {
      this.finish(id, fault('PAYLOAD_INVALID', `its result has ${bytes} bytes`))
      return
    }
    log.info({ id }, 'command done')
    this.#reply(reply)
  }

  /** There is a connection: tells what is still to be told. */
  flush(): void {
    this.#sending = this.#sending.then(() => this.#send())
  }

  /** Gives up what is at work; its failure is told with the next start, if not now. */
  async stop(): Promise<void> {
    this.#stopping.abort(fault('COMMAND_INTERRUPTED', 'the agent was stopped'))
    await Promise.all(this.#running)
    await this.#sending
    await this.#writing
  }

  async #carryOut({ id, command, args }: AnyCommand): Promise<unknown> {
    const { handlers, log, clock } = this.#options
    await this.#save()
    const known = Object.hasOwn(handlers, command) ? handlers[command] : undefined
    if (known === undefined) {
      const names = Object.keys(handlers).join(', ')
      throw fault('COMMAND_UNKNOWN', `this agent knows ${names}, not ${JSON.stringify(command)}`)
    }
    if (!conforms(known.args, args)) {
      throw fault(
        'PAYLOAD_INVALID',
        `arguments of ${command}:\n${faultLines(schemaFaults(known.args, args))}`,
      )
    }
    log.info({ id, command }, 'command accepted')
    this.#reply({ id, status: 'accepted' })
    const done = new AbortController()
    const timeUp = new AbortController()
    const late = clock.sleep(known.timeoutMs, done.signal).then(() => {
      const error = fault('COMMAND_TIMEOUT', `${command} took longer than ${known.timeoutMs / 1000} s`)
      timeUp.abort(error)
      throw error
    })
    // Ends by rejection when the work is done first; nobody listens then.
    late.catch(() => {})
    const signal = AbortSignal.any([this.#stopping.signal, timeUp.signal])
    const stopped = new Promise<never>((_resolve, reject) => {
      this.#stopping.signal.addEventListener('abort', () => reject(this.#stopping.signal.reason), {
        once: true,
        signal: done.signal,
      })
    })
    const progress = (message: string) => this.#reply({ id, status: 'progress', message })
    try {
      return await Promise.race([known.run(args, { id, signal, progress }), late, stopped])
    } finally {
      done.abort()
    }
  }

  #reply(reply: Omit<CommandReply, 'v' | 'at'>): void {
    const message =
      reply.message === undefined ? {} : { message: redactText(reply.message).slice(0, MAX_MESSAGE_CHARS) }
    this.#unsent.push({ v: 1, ...reply, ...message, at: this.#options.clock.now() })
    // Offline for long: how far it came matters less than what came of it.
    if (this.#unsent.length > MAX_UNSENT) this.#unsent = this.#unsent.filter(isFinal).slice(-MAX_UNSENT)
    this.flush()
  }

  async #send(): Promise<void> {
    for (let reply = this.#unsent[0]; reply !== undefined; reply = this.#unsent[0]) {
      try {
        await this.#options.send(encodeJson(reply))
      } catch (error) {
        this.#options.log.debug({ reason: messageOf(error), id: reply.id }, 'reply not told yet')
        return
      }
      this.#unsent = this.#unsent.filter(each => each !== reply)
      if (!isFinal(reply)) continue
      const { id } = reply
      this.#known = this.#known.map(known => (known.id === id ? { id, told: true } : known))
      // On a full disk it is told again after a restart; that was logged.
      await this.#save().catch(() => {})
    }
  }

  #save(): Promise<void> {
    const write = this.#writing.then(() => this.#options.file.write({ v: 1, commands: this.#known }))
    this.#writing = write.catch(err => this.#options.log.error({ err }, 'commands not saved'))
    return write
  }
}

function isFinal({ status }: CommandReply): boolean {
  return status === 'done' || status === 'failed'
}

function failure(error: unknown): Pick<CommandReply, 'status' | 'code' | 'message'> {
  const code: ErrorCode = isFault(error) ? error.code : 'INTERNAL'
  return { status: 'failed', code, message: messageOf(error) }
}
