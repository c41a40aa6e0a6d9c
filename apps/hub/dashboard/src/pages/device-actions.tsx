import { useState } from 'preact/hooks'
import { Confirm } from '../components/confirm.tsx'
import type { FleetRow } from '../device-fleet.ts'
import { revoke } from '../fleet-api.ts'
import { useServices } from '../services.ts'
import { useSession } from '../session.tsx'

export interface DeviceActionsProps {
  readonly row: FleetRow
  readonly onRevoked: () => void
}

export function DeviceActions({ row, onRevoked }: DeviceActionsProps) {
  const { api } = useServices()
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
        <Confirm
          title={`Revoke ${row.node}`}
          action="Revoke"
          onConfirm={() => revoke(api, row)}
          onDone={() => {
            close()
            onRevoked()
          }}
          onClose={close}
        >
          The hub turns the device away from now on. It goes on recording, and delivers what it has once it is
          enrolled anew at its own terminal.
        </Confirm>
      )}
    </>
  )
}
