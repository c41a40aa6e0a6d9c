import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { RulesDocument } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { changeText } from '../rule-standing.ts'
import { restoreRules, ruleHistory, rulesVersion } from '../rules-api.ts'
import { diffRules } from '../rules-diff.ts'
import { useNow, useResource, useServices } from '../services.ts'
import { RuleChanges } from './rule-changes.tsx'

export interface RuleHistoryDialogProps {
  /** Those in force. */
  readonly rules: RulesDocument
  readonly mayRestore: boolean
  readonly onRestored: (rules: RulesDocument) => void
  readonly onClose: () => void
}

export function RuleHistoryDialog({ rules, mayRestore, onRestored, onClose }: RuleHistoryDialogProps) {
  const { version } = rules
  const { api } = useServices()
  const now = useNow(5000)
  const history = useResource(`history ${version}`, signal => ruleHistory(api, signal))
  const [failed, setFailed] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const [wanted, setWanted] = useState<number>()
  const then = useResource(wanted === undefined ? undefined : `version ${wanted}`, signal =>
    rulesVersion(api, wanted!, signal),
  )
  const restore = async (older: number) => {
    setBusy(true)
    setFailed(undefined)
    try {
      onRestored(await restoreRules(api, older))
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
                aria-label={`Compare version ${change.version}`}
                aria-expanded={wanted === change.version}
                disabled={busy}
                onClick={() => setWanted(wanted === change.version ? undefined : change.version)}
              >
                Compare
              </button>
            )}
            {wanted === change.version && (
              <section class="change-detail" aria-label={`If version ${wanted} is restored`}>
                {then.error !== undefined && <ErrorNote error={then.error} onRetry={then.reload} />}
                {then.loading && <p class="hint">Loading…</p>}
                {!then.loading && then.data !== undefined && (
                  <RuleChanges diff={diffRules(rules.rules, then.data)} />
                )}
                {mayRestore && !then.loading && then.data !== undefined && (
                  <button
                    type="button"
                    class="button button-small button-primary"
                    disabled={busy}
                    onClick={() => void restore(change.version)}
                  >
                    Restore version {wanted}
                  </button>
                )}
              </section>
            )}
          </li>
        ))}
      </ul>
    </Modal>
  )
}
