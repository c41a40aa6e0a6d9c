import { useState } from 'preact/hooks'
import { DialogForm } from '../components/dialog-form.tsx'
import { Field } from '../components/field.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote } from '../components/states.tsx'
import {
  type Erasure,
  type ErasureScope,
  eraseForGood,
  erasureText,
  measureErasure,
  scopeFault,
} from '../erase.ts'
import { absoluteTime } from '../format.ts'
import { instantOf, localMinute } from '../local-minute.ts'
import { cameraKey, parseSource, sourceKey } from '../search-query.ts'
import { useLive, useServices } from '../services.ts'
import { useJob } from '../use-job.ts'

const ENDS = [
  ['from', 'From', 'Captured at or after; empty: from the first frame on.'],
  ['to', 'Until', 'Captured before; empty: up to the newest.'],
] as const

export interface EraseDialogProps {
  /** Given: of this alone, and it is not asked for. */
  readonly scope?: ErasureScope
  readonly onErased: () => void
  readonly onClose: () => void
}

/** First counts, then deletes for good, then says what went and where copies may be left. */
export function EraseDialog({ scope: given, onErased, onClose }: EraseDialogProps) {
  const { api } = useServices()
  const job = useJob()
  const [scope, setScope] = useState<ErasureScope>(given ?? {})
  const [tried, setTried] = useState(false)
  const [known, setKnown] = useState<Erasure>()
  const fault = tried ? scopeFault(scope) : undefined
  const measure = () => {
    setTried(true)
    if (scopeFault(scope) === undefined) void job.run(async () => setKnown(await measureErasure(api, scope)))
  }
  const erase = () =>
    void job.run(async () => {
      setKnown(await eraseForGood(api, scope))
      onErased()
    })
  return (
    <Modal title="Delete for good" class="dialog" onClose={onClose}>
      {known === undefined && (
        <DialogForm job={job} action="Count" onSubmit={measure} onCancel={onClose}>
          {given === undefined ? (
            <ScopeFields scope={scope} fault={fault} onChange={setScope} />
          ) : (
            <p>
              All that <strong>{sourceKey({ ...scope })}</strong> has sent. It is turned away first, and can
              be enrolled anew. First it is counted; nothing is deleted yet.
            </p>
          )}
        </DialogForm>
      )}
      {known !== undefined && (
        <>
          <Account erasure={known} />
          {job.failed !== undefined && <ErrorNote error={job.failed} />}
          <footer class="modal-foot">
            <button type="button" class="button" onClick={onClose}>
              {known.dryRun ? 'Cancel' : 'Done'}
            </button>
            {known.dryRun && (
              <button type="button" class="button button-danger" aria-disabled={job.busy} onClick={erase}>
                {job.busy ? 'Deleting…' : 'Delete for good'}
              </button>
            )}
          </footer>
        </>
      )}
    </Modal>
  )
}

interface ScopeFieldsProps {
  readonly scope: ErasureScope
  readonly fault: string | undefined
  readonly onChange: (scope: ErasureScope) => void
}

function ScopeFields({ scope, fault, onChange }: ScopeFieldsProps) {
  const { from, to, ...source } = scope
  const sources = useSources()
  return (
    <>
      <Field label="Of" fault={fault}>
        {control => (
          <select
            {...control}
            class="input"
            value={sourceKey(source)}
            onChange={event =>
              onChange({ ...rangeOf({ from, to }), ...parseSource(event.currentTarget.value) })
            }
          >
            <option value="">All cameras</option>
            {sources.map(key => (
              <option key={key} value={key}>
                {key}
              </option>
            ))}
          </select>
        )}
      </Field>
      {ENDS.map(([end, label, hint]) => (
        <Field key={end} label={label} hint={hint} fault={undefined}>
          {control => (
            <input
              {...control}
              type="datetime-local"
              value={localMinute(scope[end] ?? '')}
              onChange={event => {
                const range = rangeOf({ from, to, [end]: instantOf(event.currentTarget.value) })
                onChange({ ...source, ...range })
              }}
            />
          )}
        </Field>
      ))}
    </>
  )
}

function rangeOf({ from, to }: { from?: string | undefined; to?: string | undefined }): ErasureScope {
  return { ...(from ? { from } : {}), ...(to ? { to } : {}) }
}

/** Sites, devices and cameras that are known, as `site/node/camera`. */
function useSources(): string[] {
  const { nodes, frames } = useLive()
  const keys = new Set<string>()
  const take = (camera: { site: string; node: string; camera: string }) => {
    const { site, node } = camera
    for (const key of [site, `${site}/${node}`, cameraKey(camera)]) keys.add(key)
  }
  for (const frame of frames.values()) take(frame)
  for (const { site, node, cameras } of nodes.values())
    for (const { camera } of cameras) take({ site, node, camera })
  return [...keys].sort()
}

function Account({ erasure }: { erasure: Erasure }) {
  const { dryRun, snapshots } = erasure
  const lines = erasureText(erasure)
  return (
    <div role="status">
      <p>
        {lines.length === 0 && 'There is nothing of it.'}
        {lines.length > 0 && (dryRun ? 'This would be deleted, and cannot be brought back:' : 'Deleted:')}
      </p>
      <ul class="plain-list">
        {lines.map(line => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      {snapshots.length > 0 && (
        <>
          <p>Snapshots that may still hold it; remove those by hand:</p>
          <ul class="plain-list">
            {snapshots.map(({ dir, createdAt, found }) => (
              <li key={dir}>
                <code>{dir}</code> of {absoluteTime(createdAt)}
                {!found && ', not where it was made'}
              </li>
            ))}
          </ul>
        </>
      )}
    </div>
  )
}
