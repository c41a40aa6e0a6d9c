import type { Log } from '@sightline/core'
import { removeSegments } from './segment-file.ts'
import { type Manifest, writeManifest } from './segment-manifest.ts'

/** The points where a crash is most awkward. */
export type IndexFailPoint = 'segment built' | 'manifest written' | 'segments removed'

export interface ManifestLogOptions {
  readonly dir: string
  readonly log: Log
  readonly failPoint?: ((name: IndexFailPoint) => void) | undefined
}

/** Writes down what is sealed, then removes the files of what is no more; one after the other, in order. */
export class ManifestLog {
  readonly #options: ManifestLogOptions
  #last: Promise<void> = Promise.resolve()

  constructor(options: ManifestLogOptions) {
    this.#options = options
  }

  /** Resolves when nothing is left to write. */
  get settled(): Promise<void> {
    return this.#last
  }

  /** @param manifest asked when it is its turn, so that it tells what is then */
  commit(manifest: () => Manifest, removed: readonly number[]): Promise<void> {
    const { dir, log, failPoint } = this.#options
    this.#last = this.#last.then(async () => {
      try {
        await writeManifest(dir, manifest())
        failPoint?.('manifest written')
        await removeSegments(dir, removed)
        failPoint?.('segments removed')
      } catch (err) {
        // The list on disk is the former one, and so are the files that it needs.
        log.error({ err }, 'list of index segments not written')
      }
    })
    return this.#last
  }
}
