import { Field } from '../components/field.tsx'
import { type FleetQuery, SORTS, type Sort, STANDINGS } from '../device-fleet.ts'
import { STANDING_NAMES } from './device-table.tsx'

const SORT_NAMES: Readonly<Record<Sort, string>> = {
  name: 'Name',
  standing: 'Health, worst first',
  queue: 'Queue, longest first',
  'last-data': 'Last data, oldest first',
  lost: 'Lost, most first',
}

export interface DeviceFiltersProps {
  readonly query: FleetQuery
  readonly choices: { readonly sites: readonly string[]; readonly versions: readonly string[] }
  readonly onChange: (query: FleetQuery) => void
}

export function DeviceFilters({ query, choices, onChange }: DeviceFiltersProps) {
  const all = { value: '', name: 'All' }
  const plain = (values: readonly string[]) => [all, ...values.map(value => ({ value, name: value }))]
  const standings = [all, ...STANDINGS.map(value => ({ value, name: STANDING_NAMES[value] }))]
  return (
    <search class="fleet-filters" aria-label="Find devices">
      <Field label="Find" fault={undefined}>
        {control => (
          <input
            {...control}
            type="text"
            placeholder="Name, model or provider"
            value={query.text}
            onInput={event => onChange({ ...query, text: event.currentTarget.value })}
          />
        )}
      </Field>
      <Choice
        label="Site"
        value={query.site}
        options={plain(choices.sites)}
        onChange={site => onChange({ ...query, site })}
      />
      <Choice
        label="Health"
        value={query.standing}
        options={standings}
        onChange={standing => onChange({ ...query, standing })}
      />
      <Choice
        label="Version"
        value={query.version}
        options={plain(choices.versions)}
        onChange={version => onChange({ ...query, version })}
      />
      <Choice
        label="Order"
        value={query.sort}
        options={SORTS.map(value => ({ value, name: SORT_NAMES[value] }))}
        onChange={sort => onChange({ ...query, sort: sort as Sort })}
      />
    </search>
  )
}

interface ChoiceProps {
  readonly label: string
  readonly value: string
  readonly options: readonly { readonly value: string; readonly name: string }[]
  readonly onChange: (value: string) => void
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <Field label={label} fault={undefined}>
      {control => (
        <select {...control} value={value} onChange={event => onChange(event.currentTarget.value)}>
          {options.map(option => (
            <option key={option.value} value={option.value}>
              {option.name}
            </option>
          ))}
        </select>
      )}
    </Field>
  )
}
