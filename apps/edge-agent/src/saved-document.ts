import { createHash } from 'node:crypto'
import { readFile, rename } from 'node:fs/promises'
import { conforms, fault, type Log, messageOf } from '@sightline/core'
import type { Static, TSchema } from 'typebox'
import { PRIVATE, writeDurably } from './durable-file.ts'

/**
 * A JSON document of the agent's own, of mode 0600: first line the SHA-256 of the rest. A file that is damaged is set
 * aside and counts as missing, for an agent must start without it.
 */
export class SavedDocument<T extends TSchema> {
  readonly #path: string
  readonly #schema: T
  readonly #log: Log

  constructor({ path, schema, log }: { path: string; schema: T; log: Log }) {
    this.#path = path
    this.#schema = schema
    this.#log = log
  }

  /** @throws STORE_FAILED when the file is there and cannot be read */
  async read(): Promise<Static<T> | undefined> {
    let text: string
    try {
      text = await readFile(this.#path, 'utf8')
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw fault('STORE_FAILED', `cannot read ${this.#path}: ${messageOf(cause)}`, { cause })
    }
    const end = text.indexOf('\n')
    const body = text.slice(end + 1)
    if (text.slice(0, end) === digestOf(body)) {
      const value: unknown = JSON.parse(body)
      if (conforms(this.#schema, value)) return value
    }
    this.#log.error({ path: this.#path }, 'file damaged; set aside as .damaged')
    await rename(this.#path, `${this.#path}.damaged`)
    return undefined
  }

  /** @throws STORE_FAILED */
  async write(value: Static<T>): Promise<void> {
    const body = `${JSON.stringify(value, null, 2)}\n`
    try {
      await writeDurably(this.#path, Buffer.from(`${digestOf(body)}\n${body}`), PRIVATE)
    } catch (cause) {
      throw fault('STORE_FAILED', `cannot write ${this.#path}: ${messageOf(cause)}`, { cause })
    }
  }
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
