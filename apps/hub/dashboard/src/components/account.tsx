import { useState } from 'preact/hooks'
import { changeOwnPassword } from '../people-api.ts'
import { scopeWords } from '../scope-text.ts'
import { useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { useJob } from '../use-job.ts'
import { Fact } from './fact.tsx'
import { Field } from './field.tsx'
import { Modal } from './modal.tsx'
import { ErrorNote } from './states.tsx'

/** Of who is signed in: what may be done and seen, the password, and the way out on every device. */
export function Account({ onClose }: { onClose: () => void }) {
  const { name, role, scope, signOut } = useSession()
  const { failed, run } = useJob()
  return (
    <Modal title={name ?? ''} class="dialog" onClose={onClose}>
      <dl class="facts">
        <Fact name="Role">{role}</Fact>
        <Fact name="Sees">{scopeWords(scope)}</Fact>
      </dl>
      <PasswordForm />
      {failed !== undefined && <ErrorNote error={failed} />}
      <footer class="modal-foot">
        <button type="button" class="button" onClick={() => void run(() => signOut({ everywhere: true }))}>
          Sign out everywhere
        </button>
        <button type="button" class="button" onClick={() => void run(() => signOut())}>
          Sign out
        </button>
      </footer>
    </Modal>
  )
}

function PasswordForm() {
  const { api } = useServices()
  const { busy, failed, run } = useJob()
  const [current, setCurrent] = useState('')
  const [password, setPassword] = useState('')
  const [said, setSaid] = useState('')
  const change = () =>
    run(async () => {
      setSaid('')
      await changeOwnPassword(api, current, password)
      setCurrent('')
      setPassword('')
      setSaid('Changed. You are signed out on every other device.')
    })
  return (
    <form
      class="form-stack"
      onSubmit={event => {
        event.preventDefault()
        void change()
      }}
    >
      <h3>Change the password</h3>
      <Field label="Old password" fault={undefined}>
        {control => (
          <input
            {...control}
            type="password"
            required
            autocomplete="current-password"
            maxLength={256}
            value={current}
            onInput={event => setCurrent(event.currentTarget.value)}
          />
        )}
      </Field>
      <Field label="New password" hint="At least 12 characters; a few words do well." fault={undefined}>
        {control => (
          <input
            {...control}
            type="password"
            required
            autocomplete="new-password"
            maxLength={256}
            value={password}
            onInput={event => setPassword(event.currentTarget.value)}
          />
        )}
      </Field>
      {failed !== undefined && <ErrorNote error={failed} />}
      <p class="hint" role="status">
        {said}
      </p>
      <p>
        <button type="submit" class="button button-small" aria-disabled={busy}>
          Change the password
        </button>
      </p>
    </form>
  )
}
