import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { conforms, fault, type Log, messageOf, type Verdict } from '@sightline/core'
import { Type } from 'typebox'
import { namesSources, sourceMatches } from '../store/frame-filter.ts'
import type { CameraName, FrameFilter } from '../store/record-store.ts'
import { sha256, syncDirectory, writeDurably } from './segment-file.ts'
import type { IndexEntry, IndexFilter } from './vector-index.ts'

const Table = Type.Object({
  generation: Type.String({ minLength: 1 }),
  sources: Type.Array(Type.Tuple([Type.String(), Type.String(), Type.String()])),
  labels: Type.Array(Type.String()),
})
const TableFile = Type.Object({ table: Table, sha256: Type.String() })

/** Of a frame on which no rule fired. */
const CALM = 'calm'
const firedLabel = (rule: string) => `fired ${rule}`
const quietLabel = (rule: string) => `quiet ${rule}`

interface Names {
  readonly generation: string
  readonly sources: readonly (readonly [string, string, string])[]
  readonly labels: readonly string[]
}

/**
 * Numbers for (site, node, camera) and for verdicts, so that an index compares integers. Index files hold these numbers:
 * the table is durable before a number is used, and a table that was lost comes back under another `generation`, by which
 * index files of the former one are known to be void.
 */
export class NameTable {
  readonly generation: string
  readonly #file: string
  readonly #sources: CameraName[] = []
  readonly #sourceNumbers = new Map<string, number>()
  readonly #labels: string[] = []
  readonly #labelNumbers = new Map<string, number>()

  /** For `openNameTable` and `newNameTable`. */
  constructor(file: string, { generation, sources, labels }: Names) {
    this.#file = file
    this.generation = generation
    for (const [site, node, camera] of sources) this.#takeSource({ site, node, camera })
    for (const label of labels) this.#takeLabel(label)
  }

  /**
   * What an entry carries of its frame. New names are written to disk first: rare, once in the life of a camera or rule.
   * @throws STORE_FAILED when they cannot be written; they have then no numbers.
   */
  marksOf(
    frame: CameraName & { readonly verdicts: readonly Verdict[] },
  ): Required<Pick<IndexEntry, 'source' | 'labels'>> {
    const [sources, labels] = [this.#sources.length, this.#labels.length]
    const marks = {
      source: this.#takeSource(frame),
      labels: labelNames(frame.verdicts).map(name => this.#takeLabel(name)),
    }
    if (this.#sources.length === sources && this.#labels.length === labels) return marks
    try {
      this.save()
    } catch (cause) {
      for (const source of this.#sources.splice(sources)) this.#sourceNumbers.delete(sourceKey(source))
      for (const label of this.#labels.splice(labels)) this.#labelNumbers.delete(label)
      throw fault('STORE_FAILED', `the table of names cannot be written: ${messageOf(cause)}`, { cause })
    }
    return marks
  }

  /** The filter in numbers; names that nobody has used match nothing. */
  filterOf(filter: FrameFilter): IndexFilter {
    return {
      sources: namesSources(filter)
        ? this.#sources.flatMap((source, number) => (sourceMatches(filter, source) ? [number] : []))
        : undefined,
      from: filter.from,
      to: filter.to,
      labels: this.#labelsOf(filter),
    }
  }

  save(): void {
    const sources = this.#sources.map(({ site, node, camera }) => [site, node, camera])
    const table = { generation: this.generation, sources, labels: this.#labels }
    const text = JSON.stringify({ table, sha256: sha256(Buffer.from(JSON.stringify(table))) })
    writeDurably(this.#file, [Buffer.from(text)])
    syncDirectory(dirname(this.#file))
  }

  #labelsOf({ rule, fired }: FrameFilter): number[] | undefined {
    if (rule === undefined && fired === undefined) return undefined
    const wanted = (name: string) => {
      if (rule === undefined) return fired ? name.startsWith(firedLabel('')) : name === CALM
      return (fired !== false && name === firedLabel(rule)) || (fired !== true && name === quietLabel(rule))
    }
    return this.#labels.flatMap((name, number) => (wanted(name) ? [number] : []))
  }

  #takeSource({ site, node, camera }: CameraName): number {
    const key = sourceKey({ site, node, camera })
    const known = this.#sourceNumbers.get(key)
    if (known !== undefined) return known
    const number = this.#sources.push({ site, node, camera }) - 1
    this.#sourceNumbers.set(key, number)
    return number
  }

  #takeLabel(name: string): number {
    const known = this.#labelNumbers.get(name)
    if (known !== undefined) return known
    const number = this.#labels.push(name) - 1
    this.#labelNumbers.set(name, number)
    return number
  }
}

/** The table in `file`, or a new one where that is missing or damaged. */
export function openNameTable(file: string, log: Log): NameTable {
  try {
    const content: unknown = JSON.parse(readFileSync(file, 'utf8'))
    if (
      !conforms(TableFile, content) ||
      content.sha256 !== sha256(Buffer.from(JSON.stringify(content.table)))
    )
      throw fault('INDEX_DAMAGED', `${file} is not a table of names or was altered`)
    return new NameTable(file, content.table)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn(
        { err: fault('INDEX_DAMAGED', messageOf(error), { cause: error }) },
        'table of names discarded',
      )
    return newNameTable(file)
  }
}

/** An empty table of a new generation, in place of what was there. */
export function newNameTable(file: string): NameTable {
  mkdirSync(dirname(file), { recursive: true })
  const table = new NameTable(file, { generation: randomUUID(), sources: [], labels: [] })
  table.save()
  return table
}

function labelNames(verdicts: readonly Verdict[]): string[] {
  const names = verdicts.map(({ rule, fired }) => (fired ? firedLabel(rule) : quietLabel(rule)))
  return verdicts.some(({ fired }) => fired) ? names : [...names, CALM]
}

/** No name holds a slash, see NAME_PATTERN. */
function sourceKey({ site, node, camera }: CameraName): string {
  return `${site}/${node}/${camera}`
}
