import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Clock, fault, messageOf } from '@sightline/core'
import type { Camera, CameraSettings, Frame } from './camera.ts'

const PICTURE = /\.(jpe?g|png|webp)$/i

/** The pictures of a folder in the order of their names, as if they were filmed at `fps`; read anew at every round. */
export class FolderCamera implements Camera {
  readonly name: string
  readonly source: string
  readonly pushes = false
  readonly #settings: CameraSettings
  readonly #dir: string
  readonly #clock: Clock

  constructor({ settings, dir, clock }: { settings: CameraSettings; dir: string; clock: Clock }) {
    this.name = settings.name
    this.source = settings.source
    this.#settings = settings
    this.#dir = dir
    this.#clock = clock
  }

  async *frames(signal: AbortSignal): AsyncIterable<Frame> {
    let dueMs = this.#clock.monotonic()
    do {
      let read = 0
      for (const file of await this.#list()) {
        const image = await this.#read(file)
        if (image === undefined) continue
        read++
        await this.#clock.sleep(Math.max(0, dueMs - this.#clock.monotonic()), signal).catch(() => {})
        if (signal.aborted) return
        yield { camera: this.name, capturedAt: this.#clock.now(), image }
        // A consumer that fell behind does not get a burst afterwards.
        dueMs = Math.max(dueMs + 1000 / this.#settings.fps, this.#clock.monotonic())
      }
      if (read === 0) throw fault('CAMERA_FAILED', `no readable JPEG, PNG or WebP file in ${this.#dir}`)
    } while (this.#settings.repeat)
  }

  async #list(): Promise<string[]> {
    try {
      return (await readdir(this.#dir)).filter(name => PICTURE.test(name)).sort()
    } catch (cause) {
      throw fault('CAMERA_FAILED', `cannot read the folder ${this.#dir}: ${messageOf(cause)}`, { cause })
    }
  }

  /** Undefined for a file that vanished, may not be read or is too large: the others are still worth showing. */
  async #read(file: string): Promise<Uint8Array | undefined> {
    const path = join(this.#dir, file)
    try {
      if ((await stat(path)).size > this.#settings.maxFrameBytes) return undefined
      return await readFile(path)
    } catch {
      return undefined
    }
  }
}
