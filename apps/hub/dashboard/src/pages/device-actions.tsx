import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api.ts'
import type { FleetNode } from '../api-types.ts'
import { Modal } from '../components/modal.tsx'
import { ErrorNote } from '../components/states.tsx'
import { type EnrolledDevice, revoke } from '../fleet-api.ts'
import { useServices } from '../services.ts'
import { DeviceCommandsDialog } from './device-commands-dialog.tsx'
import { DeviceConfigDialog } from './device-config-dialog.tsx'

export interface DeviceActionsProps {
  readonly node: FleetNode
  /** Undefined: it has no credential of its own. */
  readonly enrolled: EnrolledDevice | undefined
  readonly onRevoked: () => void
}

export function DeviceActions({ node, enrolled, onRevoked }: DeviceActionsProps) {
  const [open, setOpen] = useState<'config' | 'commands' | 'revoke'>()
  const close = () => setOpen(undefined)
  return (
    <div class="actions">
      <button type="button" class="button button-small" onClick={() => setOpen('config')}>
        Configuration
      </button>
      <button type="button" class="button button-small" onClick={() => setOpen('commands')}>
        Commands
      </button>
      {enrolled !== undefined && enrolled.revokedAt === null && (
        <button type="button" class="button button-small" onClick={() => setOpen('revoke')}>
          Revoke
        </button>
      )}
      {enrolled !== undefined && enrolled.revokedAt !== null && <p class="hint">Revoked</p>}
      {open === 'config' && <DeviceConfigDialog device={node} onClose={close} />}
      {open === 'commands' && <DeviceCommandsDialog node={node} onClose={close} />}
      {open === 'revoke' && (
        <RevokeDialog
          node={node}
          onClose={close}
          onRevoked={() => {
            close()
            onRevoked()
          }}
        />
      )}
    </div>
  )
}

interface RevokeDialogProps {
  readonly node: FleetNode
  readonly onClose: () => void
  readonly onRevoked: () => void
}

function RevokeDialog({ node, onClose, onRevoked }: RevokeDialogProps) {
  const { api } = useServices()
  const [failed, setFailed] = useState<ApiError>()
  const go = () => revoke(api, node).then(onRevoked, error => setFailed(asApiError(error)))
  return (
    <Modal title={`Revoke ${node.node}`} class="dialog" onClose={onClose}>
      <p>
        The hub turns the device away from now on. It goes on recording, and delivers what it has once it is
        enrolled anew at its own terminal.
      </p>
      {failed !== undefined && <ErrorNote error={failed} />}
      <footer class="modal-foot">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="button button-danger" onClick={() => void go()}>
          Revoke
        </button>
      </footer>
    </Modal>
  )
}
