import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { type Clock, fault, isFault, type Log, messageOf } from '@sightline/core'
import type { Action, Delivery } from './action.ts'
import { withinTime } from './time-limit.ts'

const MAX_OUTPUT_BYTES = 4096
/** Nothing of the agent's own environment: it may hold the broker's password. */
const ENVIRONMENT = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' }

export interface ExecOptions {
  readonly name: string
  /** Absolute path of the program, which the settings allow. */
  readonly command: string
  readonly args: readonly string[]
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Log
}

/** Starts a program, without a shell, with the notice as JSON on stdin and its id in SIGHTLINE_DELIVERY_ID. */
export class ExecAction implements Action {
  readonly name: string
  readonly #options: ExecOptions

  constructor(options: ExecOptions) {
    this.name = options.name
    this.#options = options
  }

  async deliver({ id, notice }: Delivery, signal: AbortSignal): Promise<void> {
    const { timeoutMs, clock } = this.#options
    try {
      const work = (within: AbortSignal) => this.#run(id, JSON.stringify(notice), within)
      await withinTime({ clock, timeoutMs, signal }, work)
    } catch (error) {
      throw isFault(error) ? error : fault('ACTION_FAILED', messageOf(error), { cause: error })
    }
  }

  async #run(id: string, input: string, signal: AbortSignal): Promise<void> {
    const { name, command, args, log } = this.#options
    signal.throwIfAborted()
    const env = { ...ENVIRONMENT, SIGHTLINE_DELIVERY_ID: id }
    // A process group of its own, so that what it starts ends with it.
    const child = spawn(command, args, { shell: false, detached: true, env, stdio: 'pipe' })
    const kill = () => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
      // Whoever left the group may hold the pipes open.
      child.stdout.destroy()
      child.stderr.destroy()
    }
    signal.addEventListener('abort', kill, { once: true })
    const [stdout, stderr] = [headOf(child.stdout), headOf(child.stderr)]
    // A program need not read what it is told.
    child.stdin.on('error', () => {})
    child.stdin.end(input)
    try {
      const [code, killedBy] = (await once(child, 'close')) as [number | null, string | null]
      const output = { stdout: stdout(), stderr: stderr() }
      signal.throwIfAborted()
      if (code !== 0) {
        throw fault('ACTION_FAILED', `${command} ended with ${code ?? killedBy}: ${output.stderr}`)
      }
      log.info({ action: name, id, ...output }, 'program done')
    } finally {
      signal.removeEventListener('abort', kill)
    }
  }
}

/** Reads everything, so that the program is not held up, and keeps the beginning. */
function headOf(stream: Readable): () => string {
  const chunks: Buffer[] = []
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    if (bytes < MAX_OUTPUT_BYTES) chunks.push(chunk.subarray(0, MAX_OUTPUT_BYTES - bytes))
    bytes += chunk.length
  })
  stream.on('error', () => {})
  return () => Buffer.concat(chunks).toString('utf8').trim()
}
