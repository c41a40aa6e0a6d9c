import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api.ts'
import { Field } from '../components/field.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote } from '../components/states.tsx'
import { type Enrolment, enrol } from '../fleet-api.ts'
import { useServices } from '../services.ts'

/** A one-time command by which a device joins; it is shown here and nowhere else. */
export function EnrolDialog({ onClose }: { onClose: () => void }) {
  const { api } = useServices()
  const [site, setSite] = useState('')
  const [node, setNode] = useState('')
  const [made, setMade] = useState<Enrolment>()
  const [failed, setFailed] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const [copied, setCopied] = useState<boolean>()
  const make = async () => {
    setBusy(true)
    setFailed(undefined)
    try {
      setMade(await enrol(api, { site, node }))
    } catch (error) {
      setFailed(asApiError(error))
    } finally {
      setBusy(false)
    }
  }
  // The clipboard is there on https and localhost only.
  const copy = (text: string) =>
    Promise.resolve(navigator.clipboard?.writeText(text) ?? Promise.reject()).then(
      () => setCopied(true),
      () => setCopied(false),
    )
  return (
    <Modal title="Enrol a device" class="dialog" onClose={onClose}>
      {made === undefined ? (
        <form
          onSubmit={event => {
            event.preventDefault()
            void make()
          }}
        >
          <div class="fields">
            <Field label="Site" hint="Where it stands: “warehouse”." fault={undefined}>
              {control => (
                <input
                  {...control}
                  type="text"
                  required
                  autofocus
                  value={site}
                  onInput={event => setSite(event.currentTarget.value)}
                />
              )}
            </Field>
            <Field label="Device" hint="Its name there: “dock-3”." fault={undefined}>
              {control => (
                <input
                  {...control}
                  type="text"
                  required
                  value={node}
                  onInput={event => setNode(event.currentTarget.value)}
                />
              )}
            </Field>
          </div>
          {failed !== undefined && <ErrorNote error={failed} />}
          <footer class="modal-foot">
            <button type="button" class="button" onClick={onClose}>
              Cancel
            </button>
            <button type="submit" class="button button-primary" disabled={busy}>
              Make the command
            </button>
          </footer>
        </form>
      ) : (
        <>
          <p>
            Run this once on the device. It works until{' '}
            <time dateTime={made.expiresAt}>{new Date(made.expiresAt).toLocaleString()}</time> and is not
            shown again.
          </p>
          <pre class="terminal">{made.command}</pre>
          <p class="hint" role="status">
            {copied === true && 'Copied.'}
            {copied === false && 'The browser does not let the page copy here: select the text instead.'}
          </p>
          <footer class="modal-foot">
            <button type="button" class="button" onClick={() => void copy(made.command)}>
              Copy
            </button>
            <button type="button" class="button button-primary" onClick={onClose}>
              Done
            </button>
          </footer>
        </>
      )}
    </Modal>
  )
}
