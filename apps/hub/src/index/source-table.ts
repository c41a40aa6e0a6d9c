import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { conforms, fault, type Log, messageOf } from '@sightline/core'
import { Type } from 'typebox'
import type { FrameFilter } from '../store/record-store.ts'
import { sha256, syncDirectory, writeDurably } from './segment-file.ts'

export interface Source {
  readonly site: string
  readonly node: string
  readonly camera: string
}

const Table = Type.Object({
  generation: Type.String({ minLength: 1 }),
  sources: Type.Array(Type.Tuple([Type.String(), Type.String(), Type.String()])),
})
const TableFile = Type.Object({ table: Table, sha256: Type.String() })

/**
 * Numbers for (site, node, camera), so that an index compares integers. Index files hold these numbers: the table is
 * durable before a number is used, and a table that was lost comes back under another `generation`, by which index
 * files of the former one are known to be void.
 */
export class SourceTable {
  readonly generation: string
  readonly #file: string
  readonly #numbers = new Map<string, number>()
  readonly #sources: Source[] = []

  /** For `openSourceTable` and `newSourceTable`. */
  constructor(file: string, generation: string, sources: readonly (readonly [string, string, string])[]) {
    this.#file = file
    this.generation = generation
    for (const [site, node, camera] of sources) this.#take({ site, node, camera })
  }

  get size(): number {
    return this.#sources.length
  }

  /**
   * The number of a source. A new one is written to disk first: rare, once in the life of a camera.
   * @throws STORE_FAILED when it cannot be written; the source has then no number.
   */
  numberOf(source: Source): number {
    const known = this.#numbers.get(key(source))
    if (known !== undefined) return known
    const number = this.#take(source)
    try {
      this.save()
    } catch (cause) {
      this.#sources.pop()
      this.#numbers.delete(key(source))
      throw fault('STORE_FAILED', `the source table cannot be written: ${messageOf(cause)}`, { cause })
    }
    return number
  }

  /** Numbers of the sources that match, undefined when the filter names none of site, node and camera. */
  matching({ site, node, camera }: FrameFilter): number[] | undefined {
    if (site === undefined && node === undefined && camera === undefined) return undefined
    return this.#sources.flatMap((source, number) =>
      (site === undefined || source.site === site) &&
      (node === undefined || source.node === node) &&
      (camera === undefined || source.camera === camera)
        ? [number]
        : [],
    )
  }

  save(): void {
    const sources = this.#sources.map(({ site, node, camera }) => [site, node, camera])
    const table = { generation: this.generation, sources }
    const text = JSON.stringify({ table, sha256: sha256(Buffer.from(JSON.stringify(table))) })
    writeDurably(this.#file, [Buffer.from(text)])
    syncDirectory(dirname(this.#file))
  }

  #take(source: Source): number {
    const number = this.#sources.push({ site: source.site, node: source.node, camera: source.camera }) - 1
    this.#numbers.set(key(source), number)
    return number
  }
}

/** The table in `file`, or a new one where that is missing or damaged. */
export function openSourceTable(file: string, log: Log): SourceTable {
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (
      !conforms(TableFile, content) ||
      content.sha256 !== sha256(Buffer.from(JSON.stringify(content.table)))
    )
      throw fault('INDEX_DAMAGED', `${file} is not a source table or was altered`)
    return new SourceTable(file, content.table.generation, content.table.sources)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ err: fault('INDEX_DAMAGED', messageOf(error), { cause: error }) }, 'source table discarded')
    return newSourceTable(file)
  }
}

/** An empty table of a new generation, in place of what was there. */
export function newSourceTable(file: string): SourceTable {
  mkdirSync(dirname(file), { recursive: true })
  const table = new SourceTable(file, randomUUID(), [])
  table.save()
  return table
}

/** No name holds a slash, see NAME_PATTERN. */
function key({ site, node, camera }: Source): string {
  return `${site}/${node}/${camera}`
}
