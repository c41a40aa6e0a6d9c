import { useEffect, useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api.ts'
import { Field } from '../components/field.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { differences, readSettings, settingsText } from '../config-text.ts'
import { type DeviceAddress, type DeviceConfig, deviceConfig, putDeviceConfig } from '../fleet-api.ts'
import { useResource, useServices } from '../services.ts'

const DRIFT: Readonly<Record<string, string>> = {
  none: 'Nothing is desired: the device runs with its own file.',
  'in-sync': 'The device runs with these settings.',
  pending: 'Sent, and not yet in force.',
  rejected: 'The device refused these settings and keeps its last good ones.',
  unknown: 'The device has never said what it runs with.',
}

export interface DeviceConfigDialogProps {
  readonly device: DeviceAddress
  readonly onClose: () => void
}

/** What the hub desires of a device, and what the device makes of it. */
export function DeviceConfigDialog({ device, onClose }: DeviceConfigDialogProps) {
  const { api } = useServices()
  const config = useResource('config', signal => deviceConfig(api, device, signal))
  const [saved, setSaved] = useState<DeviceConfig>()
  const newest = saved ?? config.data
  return (
    <Modal title={`Configuration of ${device.node}`} class="dialog" onClose={onClose}>
      {newest === undefined && config.error !== undefined && (
        <ErrorState error={config.error} onRetry={config.reload} />
      )}
      {newest === undefined && config.loading && <SkeletonCards cards={1} />}
      {newest !== undefined && (
        <>
          <Drift config={newest} />
          <Editor
            device={device}
            config={newest}
            onSaved={setSaved}
            onReload={() => {
              setSaved(undefined)
              config.reload()
            }}
          />
        </>
      )}
    </Modal>
  )
}

function Drift({ config }: { config: DeviceConfig }) {
  const { drift, issued, reported } = config
  const apart = issued === null || reported === null ? [] : differences(issued.settings, reported.settings)
  return (
    <section>
      <p role="status">
        {DRIFT[drift.state] ?? drift.state}
        {drift.detail !== null && ` ${drift.detail}`}
      </p>
      {apart.length > 0 && (
        <div class="table-scroll">
          <table class="plain-table">
            <caption class="visually-hidden">Desired and not in force</caption>
            <thead>
              <tr>
                <th scope="col">Setting</th>
                <th scope="col">Desired</th>
                <th scope="col">In force</th>
              </tr>
            </thead>
            <tbody>
              {apart.map(({ path, desired, reported: inForce }) => (
                <tr key={path}>
                  <th scope="row">{path}</th>
                  <td>{desired}</td>
                  <td>{inForce ?? 'not reported'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

interface EditorProps {
  readonly device: DeviceAddress
  readonly config: DeviceConfig
  readonly onSaved: (config: DeviceConfig) => void
  readonly onReload: () => void
}

function Editor({ device, config, onSaved, onReload }: EditorProps) {
  const { api } = useServices()
  const { version, settings } = config.device
  const [text, setText] = useState(settingsText(settings))
  const [fault, setFault] = useState<string>()
  const [failed, setFailed] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  // Written by somebody else, or as the hub keeps it.
  useEffect(() => setText(settingsText(settings)), [version])
  const save = async () => {
    const read = readSettings(text)
    setFailed(undefined)
    setFault('fault' in read ? read.fault : undefined)
    if ('fault' in read) return
    setBusy(true)
    try {
      onSaved(await putDeviceConfig(api, device, { settings: read.settings, version }))
    } catch (error) {
      setFailed(asApiError(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        void save()
      }}
    >
      <Field
        label={`Settings of this device, version ${version}`}
        hint="JSON, laid over the settings of the site and the device's own file. Passwords are shown as “…”; left so, they stay."
        fault={fault}
      >
        {control => (
          <textarea
            {...control}
            class="code-text"
            rows={14}
            spellcheck={false}
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
      <footer class="modal-foot">
        <button type="submit" class="button button-primary" disabled={busy}>
          {busy ? 'Sending…' : 'Save and send'}
        </button>
      </footer>
    </form>
  )
}
