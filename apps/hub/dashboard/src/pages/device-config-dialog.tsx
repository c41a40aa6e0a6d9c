import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import { Field } from '../components/field.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { readSettings, settingsText } from '../config-text.ts'
import {
  type ConfigDocument,
  type ConfigTarget,
  deviceConfig,
  putConfig,
  type Settings,
  siteConfig,
} from '../fleet-api.ts'
import { useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'

export interface ConfigDialogProps {
  readonly target: ConfigTarget
  /** To begin with, in place of what there is. */
  readonly draft: Settings | undefined
  readonly onSaved: () => void
  readonly onClose: () => void
}

/** The settings that somebody wrote for a device or for a site, as JSON. */
export function ConfigDialog({ target, draft, onSaved, onClose }: ConfigDialogProps) {
  const { api } = useServices()
  const { site, node } = target
  const document = useResource('document', async signal =>
    node === undefined
      ? siteConfig(api, site, signal)
      : (await deviceConfig(api, { site, node }, signal)).device,
  )
  const saved = () => {
    onSaved()
    onClose()
  }
  return (
    <Modal
      title={node === undefined ? `Settings of all devices of ${site}` : `Configuration of ${node}`}
      class="dialog"
      holds
      onClose={onClose}
    >
      {document.data === undefined && document.error !== undefined && (
        <ErrorState error={document.error} onRetry={document.reload} />
      )}
      {document.data === undefined && document.loading && <SkeletonCards cards={1} />}
      {document.data !== undefined && (
        <Editor
          target={target}
          document={document.data}
          draft={draft}
          onSaved={saved}
          onReload={document.reload}
        />
      )}
    </Modal>
  )
}

interface EditorProps {
  readonly target: ConfigTarget
  readonly document: ConfigDocument
  readonly draft: Settings | undefined
  readonly onSaved: () => void
  readonly onReload: () => void
}

function Editor({ target, document, draft, onSaved, onReload }: EditorProps) {
  const { api } = useServices()
  const { can } = useSession()
  const { version, settings } = document
  const [from] = useState(version)
  const [text, setText] = useState(settingsText(draft ?? settings))
  const [fault, setFault] = useState<string>()
  const [failed, setFailed] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const [mine, setMine] = useState<string>()
  const field = useRef<HTMLTextAreaElement>(null)
  // Written by somebody else meanwhile.
  useEffect(() => {
    if (version === from) return
    setMine(text)
    setText(settingsText(settings))
    setFailed(undefined)
    // The button that was pressed is gone.
    field.current?.focus()
  }, [version])
  const save = async () => {
    if (busy) return
    const read = readSettings(text)
    setFailed(undefined)
    setFault('fault' in read ? read.fault : undefined)
    if ('fault' in read) return
    setBusy(true)
    try {
      await putConfig(api, target, { settings: read.settings, version })
      onSaved()
    } catch (error) {
      setFailed(asApiError(error))
      setBusy(false)
    }
  }
  const over =
    target.node === undefined
      ? 'JSON, laid over the own file of every device of the site, and under the settings of each.'
      : "JSON, laid over the settings of the site and the device's own file."
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        void save()
      }}
    >
      <Field
        label={version === 0 ? 'Settings' : `Settings as of change ${version}`}
        hint={`${over} Passwords are shown as “…”; left so, they stay.`}
        fault={fault}
      >
        {control => (
          <textarea
            {...control}
            ref={field}
            class="code-text"
            rows={14}
            spellcheck={false}
            readOnly={!can('operator')}
            value={text}
            onInput={event => setText(event.currentTarget.value)}
          />
        )}
      </Field>
      {failed !== undefined && (
        <>
          <ErrorNote error={failed} />
          {failed.status === 409 && (
            <button type="button" class="button button-small" onClick={onReload}>
              Load theirs
            </button>
          )}
        </>
      )}
      {mine !== undefined && mine !== text && (
        <p>
          <button
            type="button"
            class="button button-small"
            onClick={() => {
              setText(mine)
              field.current?.focus()
            }}
          >
            Back to what I wrote
          </button>
        </p>
      )}
      {can('operator') && (
        <footer class="modal-foot">
          <button type="submit" class="button button-primary" aria-disabled={busy}>
            {busy ? 'Sending…' : 'Save and send'}
          </button>
        </footer>
      )}
    </form>
  )
}
