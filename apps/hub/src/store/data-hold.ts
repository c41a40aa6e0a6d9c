import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Service } from '@sightline/core'

/** Written by a running hub into its data directory. */
export const HOLD_FILE = 'hub.pid'

/** Says that a hub runs on the directory, for commands that must not work on it meanwhile. */
export class DataHold implements Service {
  readonly name = 'data directory'
  readonly #path: string

  constructor({ dir }: { dir: string }) {
    this.#path = join(dir, HOLD_FILE)
  }

  async start(): Promise<void> {
    await writeFile(this.#path, String(process.pid))
  }

  async stop(): Promise<void> {
    await rm(this.#path, { force: true })
  }
}

/** Process id of the hub that runs on the directory. A file that a killed hub left behind does not count. */
export function holderOf(dir: string): number | undefined {
  let pid: number
  try {
    pid = Number(readFileSync(join(dir, HOLD_FILE), 'utf8'))
  } catch {
    return undefined
  }
  // In a container every hub is process 1: then the file is an earlier run's.
  if (!Number.isInteger(pid) || pid < 1 || pid === process.pid) return undefined
  try {
    process.kill(pid, 0)
    return pid
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM' ? pid : undefined
  }
}
