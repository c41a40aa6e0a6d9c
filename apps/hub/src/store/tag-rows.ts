import { fault } from '@sightline/core'
import type { Tables } from './lmdb-tables.ts'
import type { TagChange, TagCount } from './record-store.ts'

/** Of one frame. */
export const MAX_TAGS_OF_FRAME = 16
/** In all: they are offered as a list. */
const MAX_TAGS = 1000
/** Frames of one tag: a search within it reads the numbers of all of them. */
const MAX_TAGGED = 50_000

/** Inside a transaction. @throws TAG_LIMIT */
export function changeTags(tables: Tables, { frames, add, remove }: TagChange): number {
  let changed = 0
  for (const id of frames) {
    const ord = tables.ords.get(id)
    const row = ord === undefined ? undefined : tables.frames.get(ord)
    if (ord === undefined || row === undefined) continue
    const { tags: before = [], ...rest } = row
    const after = [...new Set([...before.filter(tag => !remove.includes(tag)), ...add])].sort()
    if (after.join('\n') === before.join('\n')) continue
    tables.frames.put(ord, { ...rest, ...(after.length === 0 ? {} : { tags: after }) })
    moveTags(tables, ord, before, after)
    changed++
  }
  return changed
}

/** Inside a transaction: the tables that lead from tags to frames. @throws TAG_LIMIT */
export function moveTags(
  { byTag, tags }: Pick<Tables, 'byTag' | 'tags'>,
  ord: number,
  before: readonly string[],
  after: readonly string[],
): void {
  if (after.length > MAX_TAGS_OF_FRAME)
    throw fault('TAG_LIMIT', `a frame has at most ${MAX_TAGS_OF_FRAME} tags, not ${after.length}`)
  for (const tag of before) {
    if (after.includes(tag)) continue
    const left = (tags.get(tag) ?? 1) - 1
    byTag.remove([tag, ord])
    if (left > 0) tags.put(tag, left)
    else tags.remove(tag)
  }
  for (const tag of after) {
    if (before.includes(tag)) continue
    const known = tags.get(tag) ?? 0
    if (known === 0 && [...tags.getKeys()].length >= MAX_TAGS)
      throw fault('TAG_LIMIT', `there are ${MAX_TAGS} tags already, without ${JSON.stringify(tag)}`)
    if (known >= MAX_TAGGED)
      throw fault('TAG_LIMIT', `${MAX_TAGGED} frames have the tag ${JSON.stringify(tag)} already`)
    byTag.put([tag, ord], true)
    tags.put(tag, known + 1)
  }
}

/** Numbers of frames with a tag, ascending, the first `limit` above `after`. */
export function taggedOrds({ byTag }: Tables, tag: string, after: number, limit: number): number[] {
  const start: [string, number] = [tag, after + 1]
  const end: [string, number] = [tag, Number.MAX_SAFE_INTEGER]
  return [...byTag.getKeys({ start, end, limit })].map(([, ord]) => ord)
}

/** Newest first. */
export function* newestTagged({ byTag }: Tables, tag: string): Iterable<number> {
  const start: [string, number] = [tag, Number.MAX_SAFE_INTEGER]
  for (const [, ord] of byTag.getKeys({ start, end: [tag, 0] as [string, number], reverse: true })) yield ord
}

export function listTags({ tags }: Tables): TagCount[] {
  return [...tags.getRange()].map(({ key, value }) => ({ tag: key, frames: value }))
}
