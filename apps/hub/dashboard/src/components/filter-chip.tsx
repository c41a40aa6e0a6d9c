import { useId, useRef } from 'preact/hooks'
import type { Choice } from '../filter-choices.ts'
import { count } from '../format.ts'
import { Icon, type IconName } from '../icons.tsx'

export interface FilterChipProps {
  readonly name: string
  readonly icon: IconName
  /** Empty: not filtered. */
  readonly value: string
  readonly any: string
  /** Counted ones first; those with a count of 0 exist, but not among the matches. */
  readonly choices: readonly Choice[]
  readonly onChange: (value: string) => void
}

/** One filter: a list to choose from and, once chosen, a way to drop it. */
export function FilterChip({ name, icon, value, any, choices, onChange }: FilterChipProps) {
  const id = useId()
  const select = useRef<HTMLSelectElement>(null)
  const matching = choices.filter(each => each.count !== 0)
  const others = choices.filter(each => each.count === 0)
  const on = value !== ''
  return (
    <span class={on ? 'filter filter-on' : 'filter'}>
      <Icon name={icon} />
      <label class="visually-hidden" for={id}>
        {name}
      </label>
      <select ref={select} id={id} value={value} onChange={event => onChange(event.currentTarget.value)}>
        <option value="">{any}</option>
        {matching.map(option)}
        {others.length > 0 && <optgroup label="Not among the matches">{others.map(option)}</optgroup>}
      </select>
      {on && (
        <button
          type="button"
          class="filter-drop"
          aria-label={`Drop the filter: ${name.toLowerCase()} ${choices.find(each => each.value === value)?.label ?? value}`}
          onClick={() => {
            // This button goes; the focus stays on the filter.
            select.current?.focus()
            onChange('')
          }}
        >
          <Icon name="close" />
        </button>
      )}
    </span>
  )
}

function option({ value, label, count: matches }: Choice) {
  return (
    <option key={value} value={value}>
      {matches ? `${label} · ${count(matches)}` : label}
    </option>
  )
}
