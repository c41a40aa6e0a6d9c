import { useState } from 'preact/hooks'
import { Confirm } from '../components/confirm.tsx'
import { Ago } from '../components/marks.tsx'
import { ErrorNote } from '../components/states.tsx'
import { Icon } from '../icons.tsx'
import { type Person, people, removePerson } from '../people-api.ts'
import { scopeWords } from '../scope-text.ts'
import { useNow, useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { UserDialog } from './system-user-dialog.tsx'

export interface UserListProps {
  /** Asked anew when it changes. */
  readonly round: number
  readonly onChanged: () => void
}

/** Who signs in here. */
export function UserList({ round, onChanged }: UserListProps) {
  const { api } = useServices()
  const session = useSession()
  const { data, error, loading, reload } = useResource(`users ${round}`, signal => people(api, signal))
  const [open, setOpen] = useState<'new' | Person>()
  const [leaving, setLeaving] = useState<Person>()
  const changed = () => {
    setOpen(undefined)
    setLeaving(undefined)
    onChanged()
  }
  return (
    <>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {data === undefined && loading && <p role="status">Loading…</p>}
      {data?.length === 0 && (
        <p>Nobody signs in yet: whoever reaches this hub is its admin. That ends with the first user.</p>
      )}
      <ul class="rows">
        {data?.map(person => (
          <UserRow
            key={person.name}
            person={person}
            own={person.name === session.name}
            onChange={() => setOpen(person)}
            onRemove={() => setLeaving(person)}
          />
        ))}
      </ul>
      {data !== undefined && (
        <p>
          <button type="button" class="button button-small" onClick={() => setOpen('new')}>
            <Icon name="plus" /> Add a user
          </button>
        </p>
      )}
      {open !== undefined && (
        <UserDialog
          person={open === 'new' ? undefined : open}
          first={data?.length === 0}
          own={open !== 'new' && open.name === session.name}
          onSaved={changed}
          onClose={() => setOpen(undefined)}
        />
      )}
      {leaving !== undefined && (
        <Confirm
          title={`Remove ${leaving.name}`}
          action="Remove"
          onConfirm={() => removePerson(api, leaving.name)}
          onDone={changed}
          onClose={() => setLeaving(undefined)}
        >
          Every session of {leaving.name} ends. What {leaving.name} has done stays in the audit log.
        </Confirm>
      )}
    </>
  )
}

interface UserRowProps {
  readonly person: Person
  readonly own: boolean
  readonly onChange: () => void
  readonly onRemove: () => void
}

function UserRow({ person, own, onChange, onRemove }: UserRowProps) {
  const { name, role, scope, lastSignInAt, disabledAt } = person
  const now = useNow(10_000)
  return (
    <li class="row">
      <div>
        <h3>
          {name} {own && <span class="tag">you</span>}{' '}
          {disabledAt !== null && <span class="pill pill-bad">kept out</span>}
        </h3>
        <p class="hint">
          {role}, sees {scopeWords(scope)} ·{' '}
          {lastSignInAt === null ? (
            'never signed in'
          ) : (
            <>
              signed in <Ago iso={lastSignInAt} now={now} />
            </>
          )}
        </p>
      </div>
      <div class="actions">
        <button type="button" class="button button-small" aria-label={`Change ${name}`} onClick={onChange}>
          Change
        </button>
        {!own && (
          <button type="button" class="button button-small" aria-label={`Remove ${name}`} onClick={onRemove}>
            Remove
          </button>
        )}
      </div>
    </li>
  )
}
