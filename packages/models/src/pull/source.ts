import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fault, messageOf } from '@sightline/core/errors.js'

export interface OpenOptions {
  /** First byte wanted. */
  readonly from: number
  /** Strong ETag that the bytes before `from` came with: other content is then sent whole. */
  readonly ifRange?: string | undefined
  readonly signal?: AbortSignal | undefined
}

export interface OpenedFile {
  readonly body: AsyncIterable<Uint8Array>
  /** First byte of `body`: what was asked for, or 0 when the source sends all of it. */
  readonly start: number
  /** Size of the whole file, when the source tells. */
  readonly totalBytes: number | undefined
  readonly etag: string | undefined
  /** Gives the connection up; also needed when `body` was never read. May be called twice. */
  close(): void
}

/** Where the files of one model come from. */
export interface FileSource {
  /** For messages. */
  readonly label: string
  /** Commit that the files were taken from, once known. */
  readonly revision: string | undefined
  /** @throws MODEL_PULL_FAILED (see `canRetry`), MODEL_SOURCE_REFUSED */
  open(path: string, options: OpenOptions): Promise<OpenedFile>
}

export interface PullFailure {
  /** True when asking again may help. */
  readonly retry: boolean
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

export function pullFailed(message: string, { retry, retryAfterMs, cause }: PullFailure) {
  return fault('MODEL_PULL_FAILED', message, {
    details: { retry, retryAfterMs },
    ...(cause === undefined ? {} : { cause }),
  })
}

/** A folder in place of the network: the first of `dirs` that has the file serves it. */
export class FolderSource implements FileSource {
  readonly label: string
  readonly revision = undefined
  readonly #dirs: readonly string[]

  constructor(label: string, dirs: readonly string[]) {
    this.label = label
    this.#dirs = dirs
  }

  async open(path: string, { from }: OpenOptions): Promise<OpenedFile> {
    for (const dir of this.#dirs) {
      const file = join(dir, path)
      const found = await stat(file).catch(() => undefined)
      if (!found?.isFile()) continue
      const start = from <= found.size ? from : 0
      return {
        body: chunks(file, start),
        start,
        totalBytes: found.size,
        etag: undefined,
        close: () => undefined,
      }
    }
    throw pullFailed(`${path} is in none of ${this.#dirs.join(', ')}`, { retry: false })
  }
}

async function* chunks(file: string, start: number): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file, { start, highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>
  } catch (cause) {
    throw pullFailed(`cannot read ${file}: ${messageOf(cause)}`, { retry: false, cause })
  }
}
