import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api.ts'
import type { RulesDocument } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { changeText } from '../rule-standing.ts'
import { restoreRules, ruleHistory } from '../rules-api.ts'
import { useNow, useResource, useServices } from '../services.ts'

export interface RuleHistoryDialogProps {
  /** The version in force. */
  readonly version: number
  readonly onRestored: (rules: RulesDocument) => void
  readonly onClose: () => void
}

export function RuleHistoryDialog({ version, onRestored, onClose }: RuleHistoryDialogProps) {
  const { api } = useServices()
  const now = useNow(5000)
  const history = useResource(`history ${version}`, signal => ruleHistory(api, signal))
  const [failed, setFailed] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const restore = async (wanted: number) => {
    setBusy(true)
    setFailed(undefined)
    try {
      onRestored(await restoreRules(api, wanted))
    } catch (error) {
      setFailed(asApiError(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal title="History of the rules" class="dialog" onClose={onClose}>
      {history.data === undefined && history.error !== undefined && (
        <ErrorState error={history.error} onRetry={history.reload} />
      )}
      {history.data === undefined && history.loading && <SkeletonCards cards={1} />}
      {failed !== undefined && <ErrorNote error={failed} />}
      {history.data?.length === 0 && <p>The rules have never been changed.</p>}
      <ul class="changes">
        {history.data?.map(change => (
          <li key={change.version} class="change">
            <div>
              <strong>Version {change.version}</strong>{' '}
              <span class="hint">
                {change.actor}, <Ago iso={change.at} now={now} />
              </span>
              <p>{changeText(change)}</p>
            </div>
            {change.version === version ? (
              <span class="pill pill-good">In force</span>
            ) : (
              <button
                type="button"
                class="button button-small"
                aria-label={`Restore version ${change.version}`}
                disabled={busy}
                onClick={() => void restore(change.version)}
              >
                Restore
              </button>
            )}
          </li>
        ))}
      </ul>
    </Modal>
  )
}
