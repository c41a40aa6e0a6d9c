import type { ApiClient } from './api.ts'
import { bytes, plural } from './format.ts'
import type { Source } from './search-query.ts'

/** What is to be deleted for good; at least one part is given. */
export interface ErasureScope extends Source {
  /** Captured at or after, RFC 3339. */
  readonly from?: string
  /** Captured before. */
  readonly to?: string
}

/** What a deletion takes, or would take. */
export interface Erasure {
  readonly dryRun: boolean
  readonly frames: number
  readonly thumbnails: number
  /** Of vectors and thumbnails. */
  readonly bytes: number
  readonly incidents: number
  readonly reviews: number
  readonly savedSearchHits: number
  readonly examples: number
  readonly commandResults: number
  readonly quarantined: number
  readonly nodes: number
  /** That may still hold it. */
  readonly snapshots: readonly { readonly dir: string; readonly createdAt: string; readonly found: boolean }[]
}

/** Counts alone. @throws ApiError */
export function measureErasure(api: ApiClient, scope: ErasureScope): Promise<Erasure> {
  return api.write('DELETE', pathOf(scope, true), {})
}

/** Resolves when it is gone. A device as a whole is turned away first, so that nothing comes in behind. @throws ApiError */
export function eraseForGood(api: ApiClient, scope: ErasureScope): Promise<Erasure> {
  return api.write('DELETE', pathOf(scope, false), {})
}

/** Why nothing can be deleted by this; undefined when something can. */
export function scopeFault({ site, from, to }: ErasureScope): string | undefined {
  if (site === undefined && from === undefined && to === undefined)
    return 'Say of which cameras or of which time: everything at once is not deleted here.'
  if (from !== undefined && to !== undefined && Date.parse(from) >= Date.parse(to))
    return 'The end must be after the start.'
  return undefined
}

/** One line for each kind of which there is something. */
export function erasureText(erasure: Erasure): string[] {
  const { frames, thumbnails, incidents, reviews, savedSearchHits, examples } = erasure
  const { commandResults, quarantined, nodes } = erasure
  const lines: [number, string][] = [
    [frames, `${plural(frames, 'frame')} with vectors and index entries, ${bytes(erasure.bytes)}`],
    [thumbnails, plural(thumbnails, 'thumbnail')],
    [incidents, plural(incidents, 'incident')],
    [reviews, plural(reviews, 'review')],
    [savedSearchHits, plural(savedSearchHits, 'hit of saved searches', 'hits of saved searches')],
    [examples, plural(examples, 'example of a rule', 'examples of rules')],
    [commandResults, plural(commandResults, 'answer to a command', 'answers to commands')],
    [quarantined, plural(quarantined, 'message that could not be read', 'messages that could not be read')],
    [nodes, plural(nodes, 'record of a device', 'records of devices')],
  ]
  return lines.filter(([number]) => number > 0).map(([, text]) => text)
}

function pathOf({ site, node, camera, from, to }: ErasureScope, dryRun: boolean): string {
  if (
    site !== undefined &&
    node !== undefined &&
    camera === undefined &&
    from === undefined &&
    to === undefined
  )
    return `/devices/${encodeURIComponent(site)}/${encodeURIComponent(node)}?dryRun=${dryRun}`
  const given = Object.entries({ site, node, camera, from, to }).filter(([, value]) => value !== undefined)
  return `/frames?${new URLSearchParams([...(given as [string, string][]), ['dryRun', String(dryRun)]])}`
}
