import type { FrameFilter } from './api-types.ts'

/** The search as its address holds it. A picture cannot stand in an address; it lives in the page. */
export interface SearchQuery {
  readonly text: string
  /** Frame to find more like. */
  readonly like: string
  readonly camera: CameraRef | undefined
  readonly range: Range
  /** Local date-times as `<input type=datetime-local>` gives them; used when the range is `custom`. */
  readonly from: string
  readonly to: string
}

export interface CameraRef {
  readonly site: string
  readonly node: string
  readonly camera: string
}

const HOUR = 3_600_000

export const RANGES = {
  any: { label: 'Any time', millis: 0 },
  '1h': { label: 'Last hour', millis: HOUR },
  '24h': { label: 'Last 24 hours', millis: 24 * HOUR },
  '7d': { label: 'Last 7 days', millis: 7 * 24 * HOUR },
  '30d': { label: 'Last 30 days', millis: 30 * 24 * HOUR },
  custom: { label: 'Between…', millis: 0 },
} as const
export type Range = keyof typeof RANGES

type Params = Readonly<Record<string, string | undefined>>

export function parseQuery(params: Params): SearchQuery {
  const { site, node, camera } = params
  const range = params.range ?? ''
  return {
    text: params.text ?? '',
    like: params.like ?? '',
    camera: site && node && camera ? { site, node, camera } : undefined,
    range: Object.hasOwn(RANGES, range) ? (range as Range) : 'any',
    from: params.from ?? '',
    to: params.to ?? '',
  }
}

export function queryParams({ text, like, camera, range, from, to }: SearchQuery): Record<string, string> {
  return {
    text,
    like,
    ...camera,
    range: range === 'any' ? '' : range,
    ...(range === 'custom' ? { from, to } : {}),
  }
}

export function queryFilter({ camera, range, from, to }: SearchQuery, now: number): FrameFilter {
  if (range === 'custom') return { ...camera, ...isoOf('from', from), ...isoOf('to', to) }
  const { millis } = RANGES[range]
  return { ...camera, ...(millis === 0 ? {} : { from: new Date(now - millis).toISOString() }) }
}

/** Why a custom range cannot be searched; undefined when it can. */
export function rangeFault({ range, from, to }: SearchQuery): string | undefined {
  if (range !== 'custom') return undefined
  for (const text of [from, to]) {
    if (text !== '' && Number.isNaN(Date.parse(text))) return 'This is not a date and time.'
  }
  if (from !== '' && to !== '' && Date.parse(from) >= Date.parse(to))
    return 'The end must be after the start.'
  return undefined
}

export function isFiltered({ camera, range }: SearchQuery): boolean {
  return camera !== undefined || range !== 'any'
}

export function cameraKey({ site, node, camera }: CameraRef): string {
  return `${site}/${node}/${camera}`
}

function isoOf(name: 'from' | 'to', local: string): FrameFilter {
  const at = Date.parse(local)
  return Number.isNaN(at) ? {} : { [name]: new Date(at).toISOString() }
}
