import { useState } from 'preact/hooks'
import { Confirm } from '../components/confirm.tsx'
import type { FleetRow } from '../device-fleet.ts'
import { revoke } from '../fleet-api.ts'
import { useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { EraseDialog } from './erase-dialog.tsx'

export interface DeviceActionsProps {
  readonly row: FleetRow
  /** Turned away, or all that it sent deleted. */
  readonly onChanged: () => void
}

export function DeviceActions({ row, onChanged }: DeviceActionsProps) {
  const { api } = useServices()
  const { can } = useSession()
  const [open, setOpen] = useState<'revoke' | 'erase'>()
  const { site, node, enrolled } = row
  const close = () => setOpen(undefined)
  return (
    <>
      {enrolled !== undefined && enrolled.revokedAt === null && can('operator') && (
        <button type="button" class="button" onClick={() => setOpen('revoke')}>
          Revoke
        </button>
      )}
      {can('admin') && (
        <button type="button" class="button" onClick={() => setOpen('erase')}>
          Delete all it sent
        </button>
      )}
      {open === 'erase' && <EraseDialog scope={{ site, node }} onErased={onChanged} onClose={close} />}
      {open === 'revoke' && (
        <Confirm
          title={`Revoke ${node}`}
          action="Revoke"
          onConfirm={() => revoke(api, row)}
          onDone={() => {
            close()
            onChanged()
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
