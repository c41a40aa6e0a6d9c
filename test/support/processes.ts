import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { fault } from '@sightline/core'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))
export const MODEL_DIR = join(ROOT, 'models/quantized/sightline-mini')
const HUB = join(ROOT, 'apps/hub/dist/main.js')
const AGENT = join(ROOT, 'apps/edge-agent/dist/main.js')

/** A command of the product, run as its user runs it. */
export class Program {
  readonly #child: ChildProcess
  readonly lines: string[] = []
  stderr = ''
  readonly #waiting: { pattern: RegExp; resolve: (match: RegExpExecArray) => void }[] = []

  constructor(script: string, args: readonly string[], env: Readonly<Record<string, string>>) {
    this.#child = spawn(process.execPath, [script, ...args], {
      env: {
        PATH: process.env.PATH ?? '',
        HOME: process.env.HOME ?? '',
        SIGHTLINE_LOG_LEVEL: 'warn',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    createInterface({ input: this.#child.stdout! }).on('line', line => {
      this.lines.push(line)
      for (const each of [...this.#waiting]) this.#offer(each, line)
    })
    this.#child.stderr!.on('data', chunk => {
      this.stderr += chunk
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  /** Whether it was ended by `kill -9`, its own included. */
  get killed(): boolean {
    return this.#child.signalCode === 'SIGKILL'
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Resolves with the first line, past or future, that matches; rejects when the program ends before. */
  async line(pattern: RegExp): Promise<RegExpExecArray> {
    for (const line of this.lines) {
      const match = pattern.exec(line)
      if (match !== null) return match
    }
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ pattern, resolve })
      const ended = () => reject(fault('INTERNAL', `ended before ${pattern}; stderr:\n${this.stderr}`))
      if (this.running) this.#child.once('exit', ended)
      else ended()
    })
  }

  async exit(): Promise<number | null> {
    if (this.running) await once(this.#child, 'exit')
    return this.#child.exitCode
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.exit()
  }

  async stop(): Promise<number | null> {
    if (this.running) this.#child.kill('SIGTERM')
    return await this.exit()
  }

  #offer(waiting: { pattern: RegExp; resolve: (match: RegExpExecArray) => void }, line: string): void {
    const match = waiting.pattern.exec(line)
    if (match === null) return
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
    waiting.resolve(match)
  }
}

export interface HubHandle {
  readonly program: Program
  readonly url: string
  readonly httpPort: number
  readonly mqttPort: number
}

export interface HubExtras {
  readonly env?: Readonly<Record<string, string>>
  /** Gets the process before it is ready, which it may never be. */
  readonly onSpawn?: (program: Program) => void
}

/** Starts a hub on free ports (or on those given, to restart one where it was) and waits until it is ready. */
export async function startHub(
  dir: string,
  ports: { httpPort: number; mqttPort: number } = { httpPort: 0, mqttPort: 0 },
  args: readonly string[] = [],
  { env = {}, onSpawn = () => {} }: HubExtras = {},
): Promise<HubHandle> {
  const program = new Program(HUB, ['serve', ...args], {
    ...env,
    SIGHTLINE_DATA_DIR: join(dir, 'hub'),
    SIGHTLINE_HTTP_PORT: String(ports.httpPort),
    SIGHTLINE_MQTT_PORT: String(ports.mqttPort),
  })
  onSpawn(program)
  const [, url, httpPort, mqttPort] = await program.line(
    /^hub ready: (http:\/\/\S+:(\d+)).* mqtt:\/\/\S+:(\d+)/,
  )
  return { program, url: url!, httpPort: Number(httpPort), mqttPort: Number(mqttPort) }
}

export interface AgentOptions {
  readonly node?: string
  readonly mqttPort: number
  readonly cameras: readonly Record<string, unknown>[]
  readonly extra?: Record<string, unknown>
  readonly env?: Readonly<Record<string, string>>
  /** Gets the process before it is ready, which it may never be. */
  readonly onSpawn?: (program: Program) => void
}

export async function startAgent(dir: string, options: AgentOptions): Promise<Program> {
  const node = options.node ?? 'agent-1'
  const file = join(dir, `${node}.yaml`)
  const settings = {
    site: 'default',
    node,
    dataDir: join(dir, node),
    broker: { url: `mqtt://127.0.0.1:${options.mqttPort}` },
    cameras: options.cameras,
    ...options.extra,
  }
  await writeFile(file, JSON.stringify(settings))
  const program = new Program(AGENT, ['run', '--announce', '--config', file], options.env ?? {})
  options.onSpawn?.(program)
  await program.line(/^agent ready/)
  return program
}

export function runHub(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  return new Program(HUB, args, env)
}

export function runAgent(args: readonly string[], env: Readonly<Record<string, string>> = {}): Program {
  return new Program(AGENT, args, env)
}

/** A temporary directory that `clean` removes, after it has stopped what was handed to it. */
export async function scratch(): Promise<{
  dir: string
  own<T extends Program>(program: T): T
  clean(): Promise<void>
}> {
  const dir = await mkdtemp(join(tmpdir(), 'sightline-'))
  const programs: Program[] = []
  return {
    dir,
    own: program => {
      programs.push(program)
      return program
    },
    clean: async () => {
      for (const program of programs) if (program.running) await program.kill()
      await rm(dir, { recursive: true, force: true })
    },
  }
}
