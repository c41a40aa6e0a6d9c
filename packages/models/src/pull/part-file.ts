import { createHash, type Hash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open, readFile, rm, writeFile } from 'node:fs/promises'
import { storeFault } from '../store/atomic-file.ts'

const CHUNK_BYTES = 1 << 20

/** A file that is being fetched: its bytes so far, their running hash, and the ETag they came with. */
export class PartFile {
  readonly path: string
  #handle: FileHandle
  #hash: Hash
  #bytes: number
  #etag: string | undefined

  private constructor(
    path: string,
    state: { handle: FileHandle; hash: Hash; bytes: number; etag: string | undefined },
  ) {
    this.path = path
    this.#handle = state.handle
    this.#hash = state.hash
    this.#bytes = state.bytes
    this.#etag = state.etag
  }

  /** Takes up what an earlier attempt left. @throws DISK_FULL, MODEL_STORE_FAILED */
  static async open(path: string): Promise<PartFile> {
    try {
      const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644)
      const hash = createHash('sha256')
      let bytes = 0
      const buffer = Buffer.alloc(CHUNK_BYTES)
      for (;;) {
        const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES, bytes)
        if (bytesRead === 0) break
        hash.update(buffer.subarray(0, bytesRead))
        bytes += bytesRead
      }
      const etag = bytes > 0 ? await readFile(etagPath(path), 'utf8').catch(() => undefined) : undefined
      return new PartFile(path, { handle, hash, bytes, etag })
    } catch (cause) {
      throw storeFault(path, cause)
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  get etag(): string | undefined {
    return this.#etag
  }

  sha256(): string {
    return this.#hash.copy().digest('hex')
  }

  /** Remembers what the bytes came with, also for the next process. */
  async noteEtag(etag: string | undefined): Promise<void> {
    if (etag === this.#etag) return
    this.#etag = etag
    try {
      if (etag) await writeFile(etagPath(this.path), etag)
      else await rm(etagPath(this.path), { force: true })
    } catch (cause) {
      throw storeFault(this.path, cause)
    }
  }

  async append(chunk: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < chunk.length; ) {
        const { bytesWritten } = await this.#handle.write(
          chunk,
          done,
          chunk.length - done,
          this.#bytes + done,
        )
        done += bytesWritten
      }
    } catch (cause) {
      throw storeFault(this.path, cause)
    }
    this.#hash.update(chunk)
    this.#bytes += chunk.length
  }

  async restart(): Promise<void> {
    try {
      await this.#handle.truncate(0)
    } catch (cause) {
      throw storeFault(this.path, cause)
    }
    this.#hash = createHash('sha256')
    this.#bytes = 0
    await this.noteEtag(undefined)
  }

  async sync(): Promise<void> {
    try {
      await this.#handle.sync()
    } catch (cause) {
      throw storeFault(this.path, cause)
    }
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined)
  }

  async remove(): Promise<void> {
    await this.close()
    await rm(this.path, { force: true })
    await rm(etagPath(this.path), { force: true })
  }

  /** Only the ETag, once the file has its final name. */
  async forgetEtag(): Promise<void> {
    await rm(etagPath(this.path), { force: true })
  }
}

const etagPath = (path: string) => `${path}.etag`
