import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fault } from '@sightline/core'
import { eventually, HubApi } from './api.ts'
import { type HubExtras, type HubHandle, type Program, startHub } from './processes.ts'
import type { VectorSpace } from './simulated-records.ts'

interface SystemView {
  readonly model: { readonly fingerprint: string; readonly dim: number }
  readonly counts: { readonly frames: number }
  readonly index: { readonly vectors: number }
}

/** A hub in a process of its own that dies and comes back on the same ports and data. */
export class HubUnderTest {
  readonly #dir: string
  readonly #own: (program: Program) => Program
  #handle: HubHandle | undefined
  #program: Program | undefined

  constructor({ dir, own }: { dir: string; own: (program: Program) => Program }) {
    this.#dir = dir
    this.#own = own
  }

  get dataDir(): string {
    return join(this.#dir, 'hub')
  }

  get program(): Program {
    return this.#program!
  }

  get api(): HubApi {
    return new HubApi(this.#handle!.url)
  }

  get url(): string {
    return this.#handle!.url
  }

  get mqttPort(): number {
    return this.#handle!.mqttPort
  }

  get mqttUrl(): string {
    return `mqtt://127.0.0.1:${this.mqttPort}`
  }

  /** Seals index segments early, so that a short run has some. `settings` are merged over it, section by section. */
  async configure(settings: Record<string, unknown> = {}): Promise<void> {
    const file = {
      index: { sealAt: 64, maxSegment: 1024 },
      // Every client of a test comes from loopback.
      mqtt: { maxConnectionsPerAddress: 100_000 },
      ...settings,
    }
    await writeFile(join(this.#dir, 'hub.yaml'), JSON.stringify(file))
  }

  /** False when the process ended before it was ready. */
  async start(env: HubExtras['env'] = {}): Promise<boolean> {
    const { httpPort = 0, mqttPort = 0 } = this.#handle ?? {}
    const onSpawn = (program: Program) => {
      this.#program = this.#own(program)
    }
    const args = ['--config', join(this.#dir, 'hub.yaml')]
    try {
      this.#handle = await startHub(this.#dir, { httpPort, mqttPort }, args, { env, onSpawn })
      return true
    } catch (error) {
      if (this.program.killed) return false
      throw error
    }
  }

  /** The vector space of the hub's model. */
  async space(): Promise<VectorSpace> {
    const { model } = await this.api.get<SystemView>('/system')
    return { fingerprint: model.fingerprint, dim: model.dim }
  }

  /** Resolves when the index holds every stored frame. */
  async indexed(): Promise<void> {
    let [stored, indexed] = [0, 0]
    await eventually('the index', async () => {
      const { counts, index } = await this.api.get<SystemView>('/system')
      stored = counts.frames
      indexed = index.vectors
      return stored === indexed ? true : undefined
    }).catch(cause => {
      throw fault('INTERNAL', `${stored} frames are stored and ${indexed} indexed`, { cause })
    })
  }

  /** SIGTERM; resolves with the milliseconds until the process was gone. */
  async stop(): Promise<number> {
    const startedMs = performance.now()
    await this.program.stop()
    return Math.round(performance.now() - startedMs)
  }
}
