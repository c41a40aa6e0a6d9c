import { useState } from 'preact/hooks'
import { Confirm } from '../components/confirm.tsx'
import { Ago } from '../components/marks.tsx'
import { ErrorNote } from '../components/states.tsx'
import { absoluteTime } from '../format.ts'
import { Icon } from '../icons.tsx'
import { type ApiKey, apiKeys, revokeKey } from '../people-api.ts'
import { scopeWords } from '../scope-text.ts'
import { useNow, useResource, useServices } from '../services.ts'
import { KeyDialog } from './system-key-dialog.tsx'

export interface KeyListProps {
  /** Asked anew when it changes. */
  readonly round: number
  readonly onChanged: () => void
}

/** What programs show to be let in. */
export function KeyList({ round, onChanged }: KeyListProps) {
  const { api } = useServices()
  const { data, error, loading, reload } = useResource(`keys ${round}`, signal => apiKeys(api, signal))
  const [making, setMaking] = useState(false)
  const [revoking, setRevoking] = useState<ApiKey>()
  return (
    <>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {data === undefined && loading && <p role="status">Loading…</p>}
      {data?.length === 0 && <p>There are no keys.</p>}
      <ul class="rows">
        {data?.map(key => (
          <KeyRow key={key.id} apiKey={key} onRevoke={() => setRevoking(key)} />
        ))}
      </ul>
      {data !== undefined && (
        <p>
          <button type="button" class="button button-small" onClick={() => setMaking(true)}>
            <Icon name="plus" /> Make a key
          </button>
        </p>
      )}
      {making && <KeyDialog onIssued={onChanged} onClose={() => setMaking(false)} />}
      {revoking !== undefined && (
        <Confirm
          title={`Revoke ${revoking.name}`}
          action="Revoke"
          onConfirm={() => revokeKey(api, revoking.id)}
          onDone={() => {
            setRevoking(undefined)
            onChanged()
          }}
          onClose={() => setRevoking(undefined)}
        >
          Whatever shows this key is turned away from now on. It cannot be taken back: a new key is another
          one.
        </Confirm>
      )}
    </>
  )
}

function KeyRow({ apiKey, onRevoke }: { apiKey: ApiKey; onRevoke: () => void }) {
  const { id, name, role, scope, createdBy, expiresAt, lastUsedAt } = apiKey
  const now = useNow(10_000)
  const expired = expiresAt !== null && Date.parse(expiresAt) <= now
  return (
    <li class="row">
      <div>
        <h3>
          {name} <code class="hint">{id}</code>{' '}
          {expired && <span class="pill severity severity-medium">expired</span>}
        </h3>
        <p class="hint">
          {role}, sees {scopeWords(scope)} · made by {createdBy} ·{' '}
          {expiresAt === null
            ? 'never expires'
            : `${expired ? 'expired' : 'expires'} ${absoluteTime(expiresAt)}`}{' '}
          ·{' '}
          {lastUsedAt === null ? (
            'never used'
          ) : (
            <>
              used <Ago iso={lastUsedAt} now={now} />
            </>
          )}
        </p>
      </div>
      <div class="actions">
        <button type="button" class="button button-small" aria-label={`Revoke ${name}`} onClick={onRevoke}>
          Revoke
        </button>
      </div>
    </li>
  )
}
