import type { ApiError } from '../api-error.ts'
import { ErrorNote } from '../components/states.tsx'
import { Icon } from '../icons.tsx'

export interface SaveFailureProps {
  readonly failure: ApiError
  readonly saving: boolean
  readonly onSaveOnNewest: () => void
}

/** Why a change of the rules was not saved, and the way out when somebody else was faster. */
export function SaveFailure({ failure, saving, onSaveOnNewest }: SaveFailureProps) {
  if (failure.status !== 409) return <ErrorNote error={failure} />
  return (
    <div class="note note-warn" role="alert">
      <Icon name="alert" />
      <p>
        <strong>Somebody else changed the rules in the meantime.</strong> Nothing is lost: your change can be
        put on top of theirs.
      </p>
      <button type="button" class="button button-small" disabled={saving} onClick={onSaveOnNewest}>
        Save on top
      </button>
    </div>
  )
}
