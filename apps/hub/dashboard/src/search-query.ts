import type { FrameFilter } from './api-types.ts'

/** The search as its address holds it. A picture cannot stand in an address; it lives in the page. */
export interface SearchQuery {
  readonly text: string
  /** Frame to find more like. */
  readonly like: string
  readonly source: Source
  /** Frames on which this rule fired. */
  readonly rule: string
  /** Without a rule: frames on which any fired, or none. */
  readonly fired: Fired
  readonly tag: string
  readonly range: Range
  /** Instants, RFC 3339; used when the range is `custom`. */
  readonly from: string
  readonly to: string
}

export interface CameraRef {
  readonly site: string
  readonly node: string
  readonly camera: string
}

/** Everything, a site, a device of it, or a camera of that. */
export type Source = Partial<CameraRef>

const FIRED = ['', 'yes', 'no'] as const
export type Fired = (typeof FIRED)[number]

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

/** What takes all filters away and leaves the question. */
export const NO_FILTERS = {
  source: {},
  rule: '',
  fired: '',
  tag: '',
  range: 'any',
  from: '',
  to: '',
} as const

type Params = Readonly<Record<string, string | undefined>>

export function parseQuery(params: Params): SearchQuery {
  const range = params.range ?? ''
  return {
    text: params.text ?? '',
    like: params.like ?? '',
    source: sourceOf(params),
    rule: params.rule ?? '',
    fired: FIRED.find(each => each === params.fired) ?? '',
    tag: params.tag ?? '',
    range: Object.hasOwn(RANGES, range) ? (range as Range) : 'any',
    from: params.from ?? '',
    to: params.to ?? '',
  }
}

export function queryParams(query: SearchQuery): Record<string, string> {
  const { text, like, source, rule, fired, tag, range, from, to } = query
  return {
    text,
    like,
    ...source,
    rule,
    fired,
    tag,
    range: range === 'any' ? '' : range,
    ...(range === 'custom' ? { from, to } : {}),
  }
}

export function queryFilter(query: SearchQuery, now: number): FrameFilter {
  const { range, from, to } = query
  if (range === 'custom') return { ...lastingFilter(query), ...isoOf('from', from), ...isoOf('to', to) }
  const { millis } = RANGES[range]
  return { ...lastingFilter(query), ...(millis === 0 ? {} : { from: new Date(now - millis).toISOString() }) }
}

/** The filter without its time: what a standing search keeps. */
export function lastingFilter({ source, rule, fired, tag }: SearchQuery): FrameFilter {
  const tagged = tag === '' ? source : { ...source, tag }
  if (rule !== '') return { ...tagged, rule, fired: true }
  return { ...tagged, ...(fired === '' ? {} : { fired: fired === 'yes' }) }
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

export function isFiltered({ source, rule, fired, tag, range }: SearchQuery): boolean {
  return source.site !== undefined || rule !== '' || fired !== '' || tag !== '' || range !== 'any'
}

export function cameraKey({ site, node, camera }: CameraRef): string {
  return `${site}/${node}/${camera}`
}

/** `site`, `site/node` or `site/node/camera`. */
export function sourceKey({ site, node, camera }: Params): string {
  return [site, node, camera].filter(part => part !== undefined).join('/')
}

/** The inverse of `sourceKey`: names hold no slash. */
export function parseSource(key: string): Source {
  const [site, node, camera] = key.split('/')
  return sourceOf({ site, node, camera })
}

/** A device without its site, or a camera without its device, is none. */
function sourceOf({ site, node, camera }: Params): Source {
  if (!site) return {}
  if (!node) return { site }
  return camera ? { site, node, camera } : { site, node }
}

function isoOf(name: 'from' | 'to', time: string): FrameFilter {
  const at = Date.parse(time)
  return Number.isNaN(at) ? {} : { [name]: new Date(at).toISOString() }
}
