import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api.ts'
import { Modal } from '../components/modal.tsx'
import { ErrorNote } from '../components/states.tsx'
import type { FleetRow } from '../device-fleet.ts'
import { type DeviceAddress, revoke } from '../fleet-api.ts'
import { useServices } from '../services.ts'
import { useSession } from '../session.tsx'

export interface DeviceActionsProps {
  readonly row: FleetRow
  readonly onRevoked: () => void
}

export function DeviceActions({ row, onRevoked }: DeviceActionsProps) {
  const { can } = useSession()
  const [revoking, setRevoking] = useState(false)
  const close = () => setRevoking(false)
  if (row.enrolled === undefined || row.enrolled.revokedAt !== null || !can('operator')) return null
  return (
    <>
      <button type="button" class="button" onClick={() => setRevoking(true)}>
        Revoke
      </button>
      {revoking && (
        <RevokeDialog
          device={row}
          onClose={close}
          onRevoked={() => {
            close()
            onRevoked()
          }}
        />
      )}
    </>
  )
}

interface RevokeDialogProps {
  readonly device: DeviceAddress
  readonly onClose: () => void
  readonly onRevoked: () => void
}

function RevokeDialog({ device, onClose, onRevoked }: RevokeDialogProps) {
  const { api } = useServices()
  const [failed, setFailed] = useState<ApiError>()
  const go = () => revoke(api, device).then(onRevoked, error => setFailed(asApiError(error)))
  return (
    <Modal title={`Revoke ${device.node}`} class="dialog" onClose={onClose}>
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
