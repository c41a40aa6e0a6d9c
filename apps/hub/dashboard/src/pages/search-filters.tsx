import { useId } from 'preact/hooks'
import type { FleetNode } from '../api-types.ts'
import { Icon } from '../icons.tsx'
import { nodeKey } from '../live-store.ts'
import {
  type CameraRef,
  cameraKey,
  isFiltered,
  RANGES,
  type Range,
  rangeFault,
  type SearchQuery,
} from '../search-query.ts'
import { useLive } from '../services.ts'

export interface SearchFiltersProps {
  readonly query: SearchQuery
  readonly onChange: (change: Partial<SearchQuery>) => void
}

export function SearchFilters({ query, onChange }: SearchFiltersProps) {
  const { nodes } = useLive()
  const id = useId()
  const fault = rangeFault(query)
  const fleet = [...nodes.values()].sort((a, b) => nodeKey(a).localeCompare(nodeKey(b)))
  const cameras = new Map(fleet.flatMap(node => camerasOf(node).map(camera => [cameraKey(camera), camera])))
  const chosen = query.camera === undefined ? '' : cameraKey(query.camera)
  return (
    <fieldset class="filters">
      <legend class="visually-hidden">Filters</legend>
      <label class="filter">
        <Icon name="camera" />
        <span class="visually-hidden">Camera</span>
        <select
          value={chosen}
          onChange={event => onChange({ camera: cameras.get(event.currentTarget.value) })}
        >
          <option value="">All cameras</option>
          {query.camera !== undefined && !cameras.has(chosen) && (
            <option value={chosen}>{query.camera.camera}</option>
          )}
          {fleet.map(node => (
            <optgroup key={nodeKey(node)} label={`${node.node} (${node.site})`}>
              {camerasOf(node).map(camera => (
                <option key={camera.camera} value={cameraKey(camera)}>
                  {camera.camera}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      <label class="filter">
        <Icon name="clock" />
        <span class="visually-hidden">Time</span>
        <select
          value={query.range}
          onChange={event => onChange({ range: event.currentTarget.value as Range })}
        >
          {Object.entries(RANGES).map(([name, { label }]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </select>
      </label>
      {query.range === 'custom' && (
        <>
          <label class="filter">
            From
            <input
              type="datetime-local"
              value={query.from}
              aria-invalid={fault !== undefined}
              aria-describedby={id}
              onChange={event => onChange({ from: event.currentTarget.value })}
            />
          </label>
          <label class="filter">
            to
            <input
              type="datetime-local"
              value={query.to}
              aria-invalid={fault !== undefined}
              aria-describedby={id}
              onChange={event => onChange({ to: event.currentTarget.value })}
            />
          </label>
          <p id={id} class="fault" role="alert">
            {fault}
          </p>
        </>
      )}
      {isFiltered(query) && (
        <button
          type="button"
          class="text-button"
          onClick={() => onChange({ camera: undefined, range: 'any', from: '', to: '' })}
        >
          Clear filters
        </button>
      )}
    </fieldset>
  )
}

function camerasOf({ site, node, cameras }: FleetNode): CameraRef[] {
  return cameras.map(({ camera }) => ({ site, node, camera }))
}
