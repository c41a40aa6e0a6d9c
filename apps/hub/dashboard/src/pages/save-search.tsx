import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { SavedQuestion } from '../api-types.ts'
import { Field } from '../components/field.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote } from '../components/states.tsx'
import { useResource, useServices } from '../services.ts'

export interface SaveSearchProps {
  readonly question: SavedQuestion
  /** Name to begin with. */
  readonly suggested: string
}

/** A button that makes the search a standing one. */
export function SaveSearch(props: SaveSearchProps) {
  const [open, setOpen] = useState(false)
  const [saved, setSaved] = useState(false)
  return (
    <>
      <button type="button" class="button button-small" onClick={() => setOpen(true)}>
        Save search
      </button>
      <span role="status" class="hint">
        {saved && 'Saved'}
      </span>
      {open && (
        <SaveDialog
          {...props}
          onSaved={() => {
            setOpen(false)
            setSaved(true)
          }}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  )
}

interface SaveDialogProps extends SaveSearchProps {
  readonly onSaved: () => void
  readonly onClose: () => void
}

function SaveDialog({ question, suggested, onSaved, onClose }: SaveDialogProps) {
  const { api } = useServices()
  const [name, setName] = useState(suggested)
  /** Empty: the hub chooses. */
  const [threshold, setThreshold] = useState('')
  const [error, setError] = useState<ApiError>()
  const [saving, setSaving] = useState(false)
  const suggestions = useResource(JSON.stringify(question), signal => api.searchThresholds(question, signal))
  /** Too few frames for the hub to tell how near a match must be. */
  const young = suggestions.data?.length === 0
  const save = async (event: Event) => {
    event.preventDefault()
    setSaving(true)
    setError(undefined)
    try {
      await api.saveSearch({
        ...question,
        name: name.trim(),
        ...(threshold === '' ? {} : { threshold: Number(threshold) }),
      })
      onSaved()
    } catch (failed) {
      setError(asApiError(failed))
      setSaving(false)
    }
  }
  return (
    <Modal title="Save search" class="dialog" holds onClose={onClose}>
      <form class="save-search" onSubmit={save}>
        <p class="hint">
          Every frame that comes is compared with it; those that match are listed as its hits.
        </p>
        <Field label="Name" fault={undefined}>
          {control => (
            <input
              {...control}
              type="text"
              required
              maxLength={200}
              value={name}
              onInput={event => setName(event.currentTarget.value)}
            />
          )}
        </Field>
        <Field label="A hit is" fault={undefined}>
          {control => (
            <select
              {...control}
              value={threshold}
              onChange={event => setThreshold(event.currentTarget.value)}
            >
              <option value="">as strict as the hub suggests</option>
              {suggestions.data?.map(({ threshold: cosine, share }) => (
                <option key={share} value={String(cosine)}>
                  about one frame in {Math.round(1 / share)} (cosine {cosine.toFixed(3)})
                </option>
              ))}
            </select>
          )}
        </Field>
        {young && (
          <p class="hint" role="status">
            It can be saved once 50 frames are stored: before, nothing tells how near a match must be.
          </p>
        )}
        {error !== undefined && <ErrorNote error={error} />}
        <footer class="modal-foot">
          <button type="button" class="button button-plain" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class="button button-primary"
            disabled={saving || young || name.trim() === ''}
          >
            {saving ? 'Saving…' : 'Save'}
          </button>
        </footer>
      </form>
    </Modal>
  )
}
