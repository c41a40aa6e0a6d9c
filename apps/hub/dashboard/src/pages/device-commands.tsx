import { useState } from 'preact/hooks'
import type { FleetNode } from '../api-types.ts'
import { COMMAND_NAMES, STATUS_NAMES } from '../command-names.ts'
import { Ago } from '../components/marks.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { type DeviceCommand, deviceCommand, deviceCommands } from '../fleet-api.ts'
import { plural } from '../format.ts'
import { useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { CommandAnswer } from './command-answer.tsx'
import { DeviceCommandsDialog } from './device-commands-dialog.tsx'

const ASK_EVERY_MS = 10_000
const SHOWN = 10

const TONES: Readonly<Record<DeviceCommand['status'], string>> = {
  sent: 'pill-quiet',
  accepted: 'pill-quiet',
  progress: 'pill-quiet',
  done: 'pill-good',
  failed: 'pill-bad',
  expired: 'pill-warn',
}

/** What the device was told to do, and what came of it. */
export function DeviceCommands({ node, now }: { node: FleetNode; now: number }) {
  const { api } = useServices()
  const { can } = useSession()
  const [sending, setSending] = useState(false)
  const [shown, setShown] = useState<string>()
  const [all, setAll] = useState(false)
  const question = `${node.site}/${node.node} ${Math.floor(now / ASK_EVERY_MS)}`
  const past = useResource(question, signal => deviceCommands(api, node, signal))
  const commands = past.data ?? []
  return (
    <section class="card device-panel" aria-label="Commands">
      <h2>Commands</h2>
      {past.error !== undefined && <ErrorNote error={past.error} onRetry={past.reload} />}
      {can('operator') && (
        <div class="actions">
          <button type="button" class="button button-small" onClick={() => setSending(true)}>
            Send a command
          </button>
        </div>
      )}
      {past.data?.length === 0 && <p class="hint">It was never told to do anything.</p>}
      <ul class="device-list">
        {commands.slice(0, all ? undefined : SHOWN).map(command => (
          <li key={command.id}>
            <div>
              <strong>{COMMAND_NAMES[command.command] ?? command.command}</strong>
              <span class="hint">
                {argsText(command)}
                {command.actor}, <Ago iso={command.issuedAt} now={now} />
              </span>
              <Failure command={command} />
            </div>
            {can('operator') && command.replies.some(({ hasResult }) => hasResult) && (
              <button
                type="button"
                class="button button-small"
                aria-label={`Show the answer to “${COMMAND_NAMES[command.command] ?? command.command}”`}
                onClick={() => setShown(command.id)}
              >
                Show
              </button>
            )}
            <span class={`pill ${TONES[command.status]}`}>{STATUS_NAMES[command.status]}</span>
          </li>
        ))}
      </ul>
      {!all && commands.length > SHOWN && (
        <button type="button" class="text-button" onClick={() => setAll(true)}>
          {plural(commands.length - SHOWN, 'earlier one')}
        </button>
      )}
      {sending && (
        <DeviceCommandsDialog
          node={node}
          onClose={() => {
            setSending(false)
            past.reload()
          }}
        />
      )}
      {shown !== undefined && <PastAnswer node={node} id={shown} onClose={() => setShown(undefined)} />}
    </section>
  )
}

function Failure({ command }: { command: DeviceCommand }) {
  const last = command.replies.at(-1)
  if (command.status !== 'failed' || last === undefined) return null
  return (
    <span class="fault">
      {last.code} {last.message}
    </span>
  )
}

function PastAnswer({ node, id, onClose }: { node: FleetNode; id: string; onClose: () => void }) {
  const { api } = useServices()
  const found = useResource(id, () => deviceCommand(api, node, id))
  return (
    <Modal title={`Answer of ${node.node}`} class="dialog" onClose={onClose}>
      {found.error !== undefined && <ErrorState error={found.error} onRetry={found.reload} />}
      {found.loading && found.data === undefined && <SkeletonCards cards={1} />}
      {found.data !== undefined && <CommandAnswer command={found.data} />}
    </Modal>
  )
}

function argsText({ args }: DeviceCommand): string {
  const text = Object.values(args)
    .filter(value => value !== null)
    .join(', ')
  return text === '' ? '' : `${text}; `
}
