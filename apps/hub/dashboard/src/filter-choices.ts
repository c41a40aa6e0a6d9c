import type { FacetValue, SearchFacets } from './api-types.ts'
import { type CameraRef, cameraKey, type Source, sourceKey } from './search-query.ts'

/** What a filter can be set to. */
export interface FilterChoices {
  readonly sites: readonly Choice[]
  readonly nodes: readonly Choice[]
  readonly cameras: readonly Choice[]
  readonly rules: readonly Choice[]
  readonly tags: readonly Choice[]
}

export interface Choice {
  readonly value: string
  readonly label: string
  /** Matches among the candidates of the search; undefined: nothing was counted. */
  readonly count: number | undefined
}

export interface ChoiceFacts {
  /** Of the answer, when something was asked. */
  readonly facets: SearchFacets | undefined
  /** All that the hub knows of. */
  readonly cameras: readonly CameraRef[]
  readonly rules: readonly { readonly id: string; readonly name: string }[]
  readonly tags: readonly string[]
  /** What is filtered by already. */
  readonly source: Source
  readonly rule: string
  readonly tag: string
}

/**
 * What was counted comes first, most frequent before all; then what exists beside it, which lets one go from one site to
 * the next: the answer itself knows only the site that it is filtered by.
 */
export function choicesOf({ facets, cameras, rules, tags, source, rule, tag }: ChoiceFacts): FilterChoices {
  const within = (key: string, prefix: string) => prefix === '' || key.startsWith(`${prefix}/`)
  const { site = '', node } = source
  const nodePrefix = site
  const cameraPrefix = node === undefined ? site : `${site}/${node}`
  const known = cameras.map(cameraKey)
  const sites = listed(facets?.site, [...cameras.map(each => each.site), site], key => key)
  const nodes = listed(
    facets?.node.filter(({ value }) => within(value, nodePrefix)),
    [...cameras.map(nodeKeyOf), node === undefined ? '' : sourceKey({ site, node })].filter(key =>
      within(key, nodePrefix),
    ),
    key => nodeLabel(key, site === '' && sites.length > 1),
  )
  const seen = listed(
    facets?.camera.filter(({ value }) => within(value, cameraPrefix)),
    [...known, source.camera === undefined ? '' : sourceKey(source)].filter(key => within(key, cameraPrefix)),
    key => key,
  )
  const nodesSeen = new Set(seen.map(({ value }) => value.slice(0, value.lastIndexOf('/'))))
  const names = new Map(rules.map(({ id, name }) => [id, name]))
  return {
    sites,
    nodes,
    cameras: seen.map(each => ({ ...each, label: cameraLabel(each.value, nodesSeen.size > 1) })),
    tags: listed(facets?.tag, [...tags, tag], each => each),
    rules: listed(facets?.rule, [...names.keys(), rule], id => names.get(id) ?? id),
  }
}

function listed(
  counted: readonly FacetValue[] | undefined,
  existing: readonly string[],
  labelOf: (value: string) => string,
): Choice[] {
  const found = (counted ?? []).map(({ value, count }) => ({ value, label: labelOf(value), count }))
  const taken = new Set(['', ...found.map(({ value }) => value)])
  const others = [...new Set(existing)]
    .filter(value => !taken.has(value))
    .map(value => ({ value, label: labelOf(value), count: counted === undefined ? undefined : 0 }))
    .sort((a, b) => a.label.localeCompare(b.label))
  return [...found, ...others]
}

function nodeKeyOf({ site, node }: CameraRef): string {
  return `${site}/${node}`
}

/** Which site a device is of matters where there are several. */
function nodeLabel(key: string, several: boolean): string {
  const [site, node] = key.split('/')
  return several ? `${node} (${site})` : node!
}

/** Which device a camera is of matters where there are several. */
function cameraLabel(key: string, several: boolean): string {
  const [, node, camera] = key.split('/')
  return several ? `${camera} (${node})` : camera!
}
