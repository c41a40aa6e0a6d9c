import type { Role } from '../api-types.ts'
import { withGlob } from '../scope-text.ts'
import { useLive } from '../services.ts'
import { Field } from './field.tsx'

const ROLES: Readonly<Record<Role, string>> = {
  viewer: 'searches and looks on',
  operator: 'writes rules, reviews, looks after devices',
  admin: 'does everything, users and keys included',
}
const MAX_SUGGESTED = 12

export interface GrantDraft {
  readonly role: Role
  /** One glob a line. */
  readonly scope: string
}

export interface GrantFieldsProps {
  readonly value: GrantDraft
  readonly onChange: (value: GrantDraft) => void
}

/** What somebody may do, and what a viewer may see. */
export function GrantFields({ value, onChange }: GrantFieldsProps) {
  return (
    <>
      <Field label="Role" fault={undefined}>
        {control => (
          <select
            {...control}
            value={value.role}
            onChange={event => onChange({ ...value, role: event.currentTarget.value as Role })}
          >
            {Object.entries(ROLES).map(([role, does]) => (
              <option key={role} value={role}>
                {role}: {does}
              </option>
            ))}
          </select>
        )}
      </Field>
      {value.role === 'viewer' && (
        <div class="scope-field">
          <Field
            label="Sees only"
            hint="One to a line: SITE, SITE/DEVICE or SITE/DEVICE/CAMERA; * stands for any letters. Empty: everything."
            fault={undefined}
          >
            {control => (
              <textarea
                {...control}
                rows={3}
                spellcheck={false}
                value={value.scope}
                onInput={event => onChange({ ...value, scope: event.currentTarget.value })}
              />
            )}
          </Field>
          <Suggestions
            scope={value.scope}
            onPick={glob => onChange({ ...value, scope: withGlob(value.scope, glob) })}
          />
        </div>
      )}
    </>
  )
}

/** Sites that there are, then devices. */
function Suggestions({ scope, onPick }: { scope: string; onPick: (glob: string) => void }) {
  const nodes = [...useLive().nodes.values()]
  const known = new Set([
    ...nodes.map(({ site }) => site).sort(),
    ...nodes.map(({ site, node }) => `${site}/${node}`).sort(),
  ])
  for (const glob of scope.split('\n')) known.delete(glob.trim())
  if (known.size === 0) return null
  return (
    <ul class="suggestions" aria-label="Known sites and devices">
      {[...known].slice(0, MAX_SUGGESTED).map(glob => (
        <li key={glob}>
          <button type="button" class="chip" onClick={() => onPick(glob)}>
            {glob}
          </button>
        </li>
      ))}
    </ul>
  )
}
