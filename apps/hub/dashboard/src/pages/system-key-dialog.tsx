import { useState } from 'preact/hooks'
import { DialogForm } from '../components/dialog-form.tsx'
import { Field } from '../components/field.tsx'
import { type GrantDraft, GrantFields } from '../components/grant-fields.tsx'
import { Modal } from '../components/modal.tsx'
import { ShownOnce } from '../components/shown-once.tsx'
import { issueKey } from '../people-api.ts'
import { scopeOf } from '../scope-text.ts'
import { useServices } from '../services.ts'
import { useJob } from '../use-job.ts'

/** For so many days a key works; 0: without end. */
const LIVES = [
  [30, '30 days'],
  [90, '90 days'],
  [365, 'a year'],
  [0, 'until it is revoked'],
] as const

export interface KeyDialogProps {
  readonly onIssued: () => void
  readonly onClose: () => void
}

export function KeyDialog({ onIssued, onClose }: KeyDialogProps) {
  const { api } = useServices()
  const job = useJob()
  const [name, setName] = useState('')
  const [days, setDays] = useState(90)
  const [grant, setGrant] = useState<GrantDraft>({ role: 'viewer', scope: '' })
  const [secret, setSecret] = useState<string>()
  const make = () =>
    job.run(async () => {
      const { role } = grant
      const scope = role === 'viewer' ? scopeOf(grant.scope) : null
      const expiresInDays = days === 0 ? {} : { expiresInDays: days }
      setSecret(await issueKey(api, { name, role, scope, ...expiresInDays }))
      onIssued()
    })
  return (
    <Modal title="Make an API key" class="dialog" holds onClose={onClose}>
      {secret === undefined ? (
        <DialogForm job={job} action="Make the key" onSubmit={() => void make()} onCancel={onClose}>
          <Field label="Name" hint="What it is for: “grafana”." fault={undefined}>
            {control => (
              <input
                {...control}
                type="text"
                required
                autofocus
                autocomplete="off"
                maxLength={64}
                value={name}
                onInput={event => setName(event.currentTarget.value)}
              />
            )}
          </Field>
          <GrantFields value={grant} onChange={setGrant} />
          <Field label="Works" fault={undefined}>
            {control => (
              <select
                {...control}
                value={days}
                onChange={event => setDays(Number(event.currentTarget.value))}
              >
                {LIVES.map(([value, words]) => (
                  <option key={value} value={value}>
                    {words}
                  </option>
                ))}
              </select>
            )}
          </Field>
        </DialogForm>
      ) : (
        <ShownOnce text={secret} onDone={onClose}>
          Programs send it as <code>authorization: Bearer</code>. Keep it now: the hub has only its hash and
          does not show it again.
        </ShownOnce>
      )}
    </Modal>
  )
}
