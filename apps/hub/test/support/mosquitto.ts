import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const BINARY = '/usr/sbin/mosquitto'

export const hasMosquitto = existsSync(BINARY)

if (!hasMosquitto) process.stderr.write(`external broker not tested: no ${BINARY} (apt install mosquitto)\n`)

/** Debian's mosquitto, on loopback, with whatever it persists in a directory of its own. */
export class Mosquitto {
  #process: ChildProcess | undefined
  #dir = ''
  port = 0

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`
  }

  /** @param config lines beside listener and persistence; `DIR` stands for its directory */
  async start(config = 'allow_anonymous true', files: Record<string, string> = {}): Promise<this> {
    if (this.#dir === '') {
      this.#dir = await mkdtemp(join(tmpdir(), 'mosquitto-'))
      this.port = await freePort()
      for (const [name, text] of Object.entries(files))
        await writeFile(join(this.#dir, name), text, { mode: 0o600 })
      const lines = [
        ...(process.getuid?.() === 0 ? ['user root'] : []),
        `listener ${this.port} 127.0.0.1`,
        'persistence true',
        `persistence_location ${this.#dir}/`,
        'log_dest stderr',
        config.replaceAll('DIR', this.#dir),
      ]
      await writeFile(join(this.#dir, 'mosquitto.conf'), `${lines.join('\n')}\n`)
    }
    const child = spawn(BINARY, ['-c', join(this.#dir, 'mosquitto.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#process = child
    let said = ''
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error(`mosquitto did not start: ${said}`)))
      child.stderr.on('data', chunk => {
        said += chunk
        if (said.includes(' running')) resolve()
      })
    })
    return this
  }

  /** As by `systemctl stop`: sessions and retained messages are written to disk. */
  async stop(): Promise<void> {
    const child = this.#process
    if (child === undefined || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGTERM')
    // It forgets a signal that comes just after it said that it runs (`run = 1` in mosquitto.c).
    const again = setInterval(() => child.kill('SIGTERM'), 200)
    await exited
    clearInterval(again)
  }

  async remove(): Promise<void> {
    await this.stop()
    if (this.#dir !== '') await rm(this.#dir, { recursive: true, force: true })
    this.#dir = ''
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
