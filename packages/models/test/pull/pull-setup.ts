import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '@sightline/core/clock.js'
import { type PullRequest, type PullResult, pullModel } from '@sightline/models/pull/pull.js'
import { Registry } from '@sightline/models/registry/registry.js'
import type { RegistryEntry } from '@sightline/models/registry/schema.js'
import { StoreLayout } from '@sightline/models/store/paths.js'
import { vi } from 'vitest'
import { type Files, pinned, tinyEntry, tinyFiles, unpinned } from '../store/tiny-models.ts'
import { type Behaviour, FileServer } from './file-server.ts'

export const IMAGE = 'onnx/vision_model.onnx'
export const TEXT = 'onnx/text_model.onnx'

/** A server with the tiny model, an empty store, and pulls between them that never wait. */
export class PullSetup {
  readonly dir: string
  readonly files: Files
  readonly server: FileServer
  readonly layout: StoreLayout
  /** Back-off that was asked for. */
  readonly delays: number[] = []
  readonly #clock: Clock

  private constructor(dir: string, files: Files, server: FileServer) {
    this.dir = dir
    this.files = files
    this.server = server
    this.layout = new StoreLayout(join(dir, 'store'))
    this.#clock = {
      now: () => 1_700_000_000_000,
      monotonic: () => 0,
      sleep: async delayMs => {
        this.delays.push(delayMs)
      },
    }
  }

  static async create(): Promise<PullSetup> {
    const files = tinyFiles()
    const dir = await mkdtemp(join(tmpdir(), 'sightline-pull-'))
    return new PullSetup(dir, files, await new FileServer(files).start())
  }

  async destroy(): Promise<void> {
    await this.server.stop()
    await rm(this.dir, { recursive: true, force: true })
  }

  behave(behaviour: Behaviour): void {
    this.server.behaviour = behaviour
  }

  pinnedEntry(): RegistryEntry {
    return tinyEntry(path => pinned(path, this.files))
  }

  unpinnedEntry(): RegistryEntry {
    return tinyEntry(unpinned)
  }

  request(entry: RegistryEntry, more: Partial<PullRequest> = {}): PullRequest {
    return {
      name: entry.name,
      registry: new Registry([entry]),
      layout: this.layout,
      mirror: this.server.url,
      repin: false,
      clock: this.#clock,
      reserveBytes: 0,
      ...more,
    }
  }

  pull(entry: RegistryEntry, more: Partial<PullRequest> = {}): Promise<PullResult> {
    return pullModel(this.request(entry, more))
  }

  /** Resolves once the client has written so many bytes of a file. */
  readonly written = (path: string, bytes: number) =>
    vi.waitFor(async () => {
      const { size } = await stat(join(this.layout.stagingDir('tiny'), `${path}.part`))
      if (size < bytes) throw new RangeError(`${size}`)
    }, 5_000)
}
