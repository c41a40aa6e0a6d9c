import { useId } from 'preact/hooks'
import type { SearchFacets } from '../api-types.ts'
import { FilterChip } from '../components/filter-chip.tsx'
import { type Choice, choicesOf } from '../filter-choices.ts'
import { instantOf, localMinute } from '../local-minute.ts'
import { useRules } from '../rules-context.ts'
import {
  type CameraRef,
  cameraKey,
  type Fired,
  isFiltered,
  NO_FILTERS,
  parseSource,
  RANGES,
  type Range,
  rangeFault,
  type SearchQuery,
  sourceKey,
} from '../search-query.ts'
import { useLive } from '../services.ts'
import { useTags } from '../tags-context.ts'

export interface SearchFiltersProps {
  readonly query: SearchQuery
  /** Of the answer in sight: what there is of each, and how much. */
  readonly facets: SearchFacets | undefined
  readonly onChange: (change: Partial<SearchQuery>) => void
}

/** Where, when and by which verdict; each a chip that says how many matches a choice has. */
export function SearchFilters({ query, facets, onChange }: SearchFiltersProps) {
  const { source, rule, fired, tag } = query
  const rules = useRules().data?.rules ?? []
  const tags = useTags().all.map(each => each.tag)
  const choices = choicesOf({ facets, cameras: useCameras(), rules, tags, source, rule, tag })
  const site = sourceKey({ site: source.site })
  const node = source.node === undefined ? '' : sourceKey({ site: source.site, node: source.node })
  const camera = source.camera === undefined ? '' : sourceKey(source)
  const verdict = rule !== '' ? `rule:${rule}` : fired
  return (
    <fieldset class="filters">
      <legend class="visually-hidden">Filters</legend>
      <FilterChip
        name="Camera"
        icon="camera"
        value={camera}
        any="All cameras"
        choices={choices.cameras}
        onChange={value => onChange({ source: parseSource(value || node || site) })}
      />
      <FilterChip
        name="Rule"
        icon="rules"
        value={verdict}
        any="Any verdict"
        choices={[...VERDICTS, ...choices.rules.map(each => ({ ...each, value: `rule:${each.value}` }))]}
        onChange={value =>
          onChange(
            value.startsWith('rule:')
              ? { rule: value.slice(5), fired: '' }
              : { rule: '', fired: value as Fired },
          )
        }
      />
      <FilterChip
        name="Time"
        icon="clock"
        value={query.range === 'any' ? '' : query.range}
        any={RANGES.any.label}
        choices={TIMES}
        onChange={value => onChange({ range: (value || 'any') as Range })}
      />
      {/* Those that are not always there come last: they must not push the others away from under the hand. */}
      {(choices.sites.length > 1 || site !== '') && (
        <FilterChip
          name="Site"
          icon="pin"
          value={site}
          any="All sites"
          choices={choices.sites}
          onChange={value => onChange({ source: parseSource(value) })}
        />
      )}
      {(choices.nodes.length > 1 || node !== '') && (
        <FilterChip
          name="Device"
          icon="chip"
          value={node}
          any="All devices"
          choices={choices.nodes}
          onChange={value => onChange({ source: parseSource(value || site) })}
        />
      )}
      {choices.tags.length > 0 && (
        <FilterChip
          name="Tag"
          icon="tag"
          value={tag}
          any="Any tag"
          choices={choices.tags}
          onChange={value => onChange({ tag: value })}
        />
      )}
      {query.range === 'custom' && <CustomRange query={query} onChange={onChange} />}
      {isFiltered(query) && (
        <button type="button" class="text-button" onClick={() => onChange(NO_FILTERS)}>
          Clear filters
        </button>
      )}
    </fieldset>
  )
}

const VERDICTS: readonly Choice[] = [
  { value: 'yes', label: 'A rule fired', count: undefined },
  { value: 'no', label: 'No rule fired', count: undefined },
]
const TIMES: readonly Choice[] = Object.entries(RANGES)
  .filter(([value]) => value !== 'any')
  .map(([value, { label }]) => ({ value, label, count: undefined }))

function CustomRange({ query, onChange }: Pick<SearchFiltersProps, 'query' | 'onChange'>) {
  const id = useId()
  const fault = rangeFault(query)
  const ends = [
    ['from', 'From'],
    ['to', 'to'],
  ] as const
  return (
    <div class="filter-range">
      {ends.map(([end, label]) => (
        <label key={end}>
          {label}
          <input
            type="datetime-local"
            value={localMinute(query[end])}
            aria-invalid={fault !== undefined}
            aria-describedby={id}
            onChange={event => onChange({ [end]: instantOf(event.currentTarget.value) })}
          />
        </label>
      ))}
      <p id={id} class="fault" role="alert">
        {fault}
      </p>
    </div>
  )
}

/** Those that devices report, and those that frames came from. */
function useCameras(): CameraRef[] {
  const { nodes, frames } = useLive()
  const cameras = new Map<string, CameraRef>()
  for (const { site, node, camera } of frames.values()) {
    cameras.set(cameraKey({ site, node, camera }), { site, node, camera })
  }
  for (const { site, node, cameras: own } of nodes.values()) {
    for (const { camera } of own) cameras.set(cameraKey({ site, node, camera }), { site, node, camera })
  }
  return [...cameras.values()]
}
