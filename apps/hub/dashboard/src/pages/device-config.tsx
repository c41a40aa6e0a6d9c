import { useState } from 'preact/hooks'
import type { FleetNode } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { ErrorNote } from '../components/states.tsx'
import { differences } from '../config-text.ts'
import {
  type ConfigDocument,
  type ConfigTarget,
  configHistory,
  type DeviceAddress,
  type DeviceConfig as DeviceConfigAnswer,
  deviceConfig,
  type Settings,
} from '../fleet-api.ts'
import { plural } from '../format.ts'
import { useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { ConfigDialog } from './device-config-dialog.tsx'

const DRIFT: Readonly<Record<string, string>> = {
  none: 'Nothing is desired: the device runs with its own file.',
  'in-sync': 'The device runs with what is desired.',
  pending: 'Sent, and not yet in force.',
  rejected: 'The device refused what is desired and keeps its last good settings.',
  unknown: 'The device has never said what it runs with.',
}
const SHOWN_CHANGES = 10

interface Editing {
  readonly target: ConfigTarget
  /** An earlier version, to begin with. */
  readonly draft?: Settings
}

export interface DeviceConfigProps {
  readonly device: DeviceAddress
  /** As the device last reported; what is shown is asked for anew when it changes. */
  readonly standing: FleetNode['config'] | undefined
  readonly now: number
}

/** What the hub desires of a device, what the device makes of it, and who changed it. */
export function DeviceConfig({ device, standing, now }: DeviceConfigProps) {
  const { api } = useServices()
  const { can } = useSession()
  const { site, node } = device
  const [editing, setEditing] = useState<Editing>()
  const question = JSON.stringify([site, node, standing])
  const config = useResource(question, signal => deviceConfig(api, { site, node }, signal))
  const own = useResource(`own ${question}`, signal => configHistory(api, { site, node }, signal))
  const shared = useResource(`site ${question}`, signal => configHistory(api, { site }, signal))
  const error = config.error ?? own.error ?? shared.error
  const reload = () => {
    config.reload()
    own.reload()
    shared.reload()
  }
  const edit = can('operator') ? setEditing : undefined
  return (
    <section class="card device-panel" aria-label="Configuration">
      <header class="device-panel-head">
        <h2>Configuration</h2>
        <div class="actions">
          <button
            type="button"
            class="button button-small"
            onClick={() => setEditing({ target: { site, node } })}
          >
            {edit ? 'Edit settings' : 'Show settings'}
          </button>
          <button type="button" class="button button-small" onClick={() => setEditing({ target: { site } })}>
            {edit ? 'Edit those of the site' : 'Show those of the site'}
          </button>
        </div>
      </header>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {config.data !== undefined && <Drift config={config.data} />}
      <Changes
        title="Changes for this device"
        changes={own.data}
        now={now}
        onRestore={edit && (draft => edit({ target: { site, node }, draft }))}
      />
      <Changes
        title={`Changes for all of ${site}`}
        changes={shared.data}
        now={now}
        onRestore={edit && (draft => edit({ target: { site }, draft }))}
      />
      {editing !== undefined && (
        <ConfigDialog
          target={editing.target}
          draft={editing.draft}
          onSaved={reload}
          onClose={() => setEditing(undefined)}
        />
      )}
    </section>
  )
}

function Drift({ config }: { config: DeviceConfigAnswer }) {
  const { drift, issued, reported } = config
  const apart = issued === null || reported === null ? [] : differences(issued.settings, reported.settings)
  return (
    <>
      <p role="status">{DRIFT[drift.state] ?? drift.state}</p>
      {drift.detail !== null && <p class="hint lines">{drift.detail}</p>}
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
    </>
  )
}

interface ChangesProps {
  readonly title: string
  readonly changes: readonly ConfigDocument[] | undefined
  readonly now: number
  readonly onRestore: ((draft: Settings) => void) | undefined
}

function Changes({ title, changes = [], now, onRestore }: ChangesProps) {
  const [newest] = changes
  if (newest === undefined) return null
  return (
    <>
      <h3>{title}</h3>
      <ul class="device-list">
        {changes.slice(0, SHOWN_CHANGES).map(({ version, settings, actor, at }) => (
          <li key={version}>
            <div>
              <strong>Change {version}</strong>
              <span class="hint">
                {actor}
                {at !== null && ', '}
                {at !== null && <Ago iso={at} now={now} />}
              </span>
              <span class="hint">{Object.keys(settings).join(', ') || 'no settings'}</span>
            </div>
            {version !== newest.version && onRestore !== undefined && (
              <button
                type="button"
                class="button button-small"
                aria-label={`Edit from here: change ${version}`}
                onClick={() => onRestore(settings)}
              >
                Edit from here
              </button>
            )}
          </li>
        ))}
      </ul>
      {changes.length > SHOWN_CHANGES && (
        <p class="hint">The API has {plural(changes.length - SHOWN_CHANGES, 'earlier change')}.</p>
      )}
    </>
  )
}
