import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { fault } from '@sightline/core'

const HUB = fileURLToPath(new URL('../apps/hub/dist/main.js', import.meta.url))
const AGENT = fileURLToPath(new URL('../apps/edge-agent/dist/main.js', import.meta.url))
/** Linux counts CPU time in hundredths of a second on every common architecture (`getconf CLK_TCK`). */
const TICKS_PER_SECOND = 100

/** A command of the product, run as its user runs it. */
export class Program {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  /** Resolves with the first line on stdout that matches. */
  static async start(
    script: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    ready: RegExp,
  ): Promise<{ program: Program; match: RegExpExecArray }> {
    const child = spawn(process.execPath, [script, ...args], {
      env: { ...process.env, SIGHTLINE_LOG_LEVEL: 'error', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const match = await new Promise<RegExpExecArray>((resolve, reject) => {
      createInterface({ input: child.stdout! }).on('line', line => {
        const found = ready.exec(line)
        if (found !== null) resolve(found)
      })
      child.once('exit', code =>
        reject(fault('INTERNAL', `${script} ended with ${code} before it was ready`)),
      )
    })
    return { program: new Program(child), match }
  }

  /** Processor time so far, in milliseconds, all threads (proc(5): fields 14 and 15 of stat). */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND
  }

  /** Resident memory in MiB: now, and the most there ever was. */
  memoryMiB(): { now: number; peak: number } {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    const of = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024
    return { now: of('VmRSS'), peak: of('VmHWM') }
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const exited = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const [code, signal] = await exited
    if (code !== 0) console.error(`a process of the product ended badly: ${signal ?? `exit code ${code}`}`)
  }
}

export interface RunningHub {
  readonly program: Program
  readonly url: string
  readonly mqttPort: number
}

/** A hub on free ports, with defaults for what `settings` does not say. */
export async function startHub(dir: string, settings: object = {}): Promise<RunningHub> {
  const config = join(dir, 'hub.yaml')
  await writeFile(config, JSON.stringify(settings))
  const { program, match } = await Program.start(
    HUB,
    ['serve', '--config', config],
    { SIGHTLINE_DATA_DIR: join(dir, 'hub'), SIGHTLINE_HTTP_PORT: '0', SIGHTLINE_MQTT_PORT: '0' },
    /^hub ready: (http:\S+).* mqtt:\/\/\S+:(\d+)/,
  )
  return { program, url: match[1]!, mqttPort: Number(match[2]) }
}

export async function startAgent(
  dir: string,
  settings: { node: string; mqttPort: number; cameras: readonly Record<string, unknown>[] },
): Promise<Program> {
  const { node, mqttPort, cameras } = settings
  const file = join(dir, `${node}.yaml`)
  const broker = { url: `mqtt://127.0.0.1:${mqttPort}` }
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ node, dataDir: join(dir, node), broker, cameras }))
  return (await Program.start(AGENT, ['run', '--config', file], {}, /^agent ready/)).program
}
