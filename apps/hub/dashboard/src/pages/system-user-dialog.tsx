import { useState } from 'preact/hooks'
import { DialogForm } from '../components/dialog-form.tsx'
import { Field, Switch } from '../components/field.tsx'
import { type GrantDraft, GrantFields } from '../components/grant-fields.tsx'
import { Modal } from '../components/modal.tsx'
import { addPerson, changePerson, type Person, type PersonChange } from '../people-api.ts'
import { scopeOf } from '../scope-text.ts'
import { useServices } from '../services.ts'
import { useJob } from '../use-job.ts'

export interface UserDialogProps {
  /** Undefined: somebody new. */
  readonly person: Person | undefined
  /** There is nobody yet: whoever comes first is an admin. */
  readonly first: boolean
  /** It is about who is signed in, who could lock himself out here. */
  readonly own: boolean
  readonly onSaved: () => void
  readonly onClose: () => void
}

export function UserDialog({ person, first, own, onSaved, onClose }: UserDialogProps) {
  const { api } = useServices()
  const job = useJob()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const [grant, setGrant] = useState<GrantDraft>({
    role: person?.role ?? (first ? 'admin' : 'viewer'),
    scope: person?.scope?.join('\n') ?? '',
  })
  const [disabled, setDisabled] = useState(person !== undefined && person.disabledAt !== null)
  const title = person === undefined ? 'Add a user' : `User ${person.name}`
  const save = () =>
    job.run(async () => {
      const { role } = grant
      const rights = { role, scope: role === 'viewer' ? scopeOf(grant.scope) : null }
      if (person === undefined) await addPerson(api, { name: name.trim().toLowerCase(), password, ...rights })
      else await changePerson(api, person.name, changeOf(person, { ...rights, disabled, password }))
      onSaved()
    })
  return (
    <Modal title={title} class="dialog" onClose={onClose}>
      <DialogForm
        job={job}
        action={person === undefined ? 'Add' : 'Save'}
        onSubmit={() => void save()}
        onCancel={onClose}
      >
        {person === undefined && (
          <Field
            label="Name"
            hint="Letters, digits, dots, dashes, underscores and @; capitals become small."
            fault={undefined}
          >
            {control => (
              <input
                {...control}
                type="text"
                required
                autofocus
                autocomplete="off"
                autocapitalize="none"
                spellcheck={false}
                pattern="\s*[A-Za-z0-9][A-Za-z0-9._@\-]*\s*"
                title="Letters, digits, dots, dashes, underscores and @, the first a letter or digit"
                maxLength={64}
                value={name}
                onInput={event => setName(event.currentTarget.value)}
              />
            )}
          </Field>
        )}
        <Field
          label={person === undefined ? 'Password' : 'New password'}
          hint={
            person === undefined
              ? 'At least 12 characters; a few words do well.'
              : 'Leave it empty to keep the old one. With a new one every session of the user ends.'
          }
          fault={undefined}
        >
          {control => (
            <input
              {...control}
              type="password"
              required={person === undefined}
              autocomplete="new-password"
              maxLength={256}
              value={password}
              onInput={event => setPassword(event.currentTarget.value)}
            />
          )}
        </Field>
        {first ? (
          <p class="hint">
            The first user is an admin. From then on everybody signs in, you as well: keep the password.
          </p>
        ) : (
          <GrantFields value={grant} onChange={setGrant} />
        )}
        {person !== undefined && !own && (
          <div class="switch-line">
            <Switch label="May sign in" checked={!disabled} onChange={may => setDisabled(!may)} />
            <span aria-hidden="true">May sign in</span>
          </div>
        )}
      </DialogForm>
    </Modal>
  )
}

/** Only what is new: the audit log names what was changed. */
function changeOf(person: Person, { password, disabled, ...rights }: PersonChange): PersonChange {
  return {
    ...rights,
    ...(password === '' || password === undefined ? {} : { password }),
    ...(disabled === (person.disabledAt !== null) || disabled === undefined ? {} : { disabled }),
  }
}
