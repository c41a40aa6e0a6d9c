import { useState } from 'preact/hooks'
import { Confirm } from '../components/confirm.tsx'
import type { FleetRow } from '../device-fleet.ts'
import { type DeviceAddress, revoke } from '../fleet-api.ts'
import { useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { EraseDialog } from './erase-dialog.tsx'

export interface DeviceActionsProps {
  /** Undefined: there is no such device, or no more; what has been begun with it is still told of. */
  readonly row: FleetRow | undefined
  /** Turned away, or all that it sent deleted. */
  readonly onChanged: () => void
}

export function DeviceActions({ row, onChanged }: DeviceActionsProps) {
  const { api } = useServices()
  const { can } = useSession()
  const [revoking, setRevoking] = useState<DeviceAddress>()
  const [erasing, setErasing] = useState<DeviceAddress>()
  return (
    <>
      {row?.enrolled?.revokedAt === null && can('operator') && (
        <button type="button" class="button" onClick={() => setRevoking(row)}>
          Revoke
        </button>
      )}
      {row !== undefined && can('admin') && (
        <button type="button" class="button" onClick={() => setErasing({ site: row.site, node: row.node })}>
          Delete all it sent
        </button>
      )}
      {erasing !== undefined && (
        <EraseDialog scope={erasing} onErased={onChanged} onClose={() => setErasing(undefined)} />
      )}
      {revoking !== undefined && (
        <Confirm
          title={`Revoke ${revoking.node}`}
          action="Revoke"
          onConfirm={() => revoke(api, revoking)}
          onDone={() => {
            setRevoking(undefined)
            onChanged()
          }}
          onClose={() => setRevoking(undefined)}
        >
          The hub turns the device away from now on. It goes on recording, and delivers what it has once it is
          enrolled anew at its own terminal.
        </Confirm>
      )}
    </>
  )
}
