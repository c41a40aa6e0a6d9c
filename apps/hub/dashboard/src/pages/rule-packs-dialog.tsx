import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import { Modal } from '../components/modal.tsx'
import { ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { plural } from '../format.ts'
import { addPack, rulePacks } from '../rules-api.ts'
import { useResource, useServices } from '../services.ts'

export interface RulePacksDialogProps {
  readonly onAdded: () => void
  readonly onClose: () => void
}

/** Rules to start from; they come switched off. */
export function RulePacksDialog({ onAdded, onClose }: RulePacksDialogProps) {
  const { api } = useServices()
  const packs = useResource('packs', signal => rulePacks(api, signal))
  const [failed, setFailed] = useState<ApiError>()
  const [said, setSaid] = useState('')
  const [busy, setBusy] = useState(false)
  const add = async (name: string) => {
    setBusy(true)
    setFailed(undefined)
    try {
      const { added, skipped } = await addPack(api, name)
      const left = skipped.length === 0 ? '' : ` ${plural(skipped.length, 'rule')} were there already.`
      setSaid(`${plural(added.length, 'rule')} added, switched off.${left}`)
      packs.reload()
      onAdded()
    } catch (error) {
      setFailed(asApiError(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal title="Starter packs" class="dialog" onClose={onClose}>
      {packs.data === undefined && packs.error !== undefined && (
        <ErrorState error={packs.error} onRetry={packs.reload} />
      )}
      {packs.data === undefined && packs.loading && <SkeletonCards cards={2} />}
      <p role="status" class={said === '' ? 'visually-hidden' : 'note'}>
        {said}
      </p>
      {failed !== undefined && <ErrorNote error={failed} />}
      <div class="packs">
        {packs.data?.map(({ name, title, description, notes, rules }) => (
          <section key={name}>
            <h3>{title}</h3>
            <p>{description}</p>
            {notes.map(note => (
              <p key={note} class="hint">
                {note}
              </p>
            ))}
            <details>
              <summary>{plural(rules.length, 'rule')}</summary>
              <ul>
                {rules.map(({ rule, note, added }) => (
                  <li key={rule.id}>
                    <strong>{rule.name}</strong>
                    {added && ' (there already)'} <span class="hint">{note}</span>
                  </li>
                ))}
              </ul>
            </details>
            <button
              type="button"
              class="button button-small"
              aria-label={`Add ${title}`}
              disabled={busy || rules.every(({ added }) => added)}
              onClick={() => void add(name)}
            >
              {rules.every(({ added }) => added) ? 'Added' : 'Add'}
            </button>
          </section>
        ))}
      </div>
    </Modal>
  )
}
