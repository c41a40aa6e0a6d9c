import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { SessionState } from '../api-types.ts'
import { Field } from '../components/field.tsx'
import { ErrorNote } from '../components/states.tsx'
import { Mark } from '../icons.tsx'
import { useServices } from '../services.ts'

export interface SignInProps {
  /** Whether there is no user yet. */
  readonly setupOpen: boolean
  /** Whether somebody was signed in here, and is no more. */
  readonly ended: boolean
  readonly onSignedIn: (state: SessionState) => void
}

/** Name and password; by the link that the hub printed, those of the first admin. */
export function SignInPage({ setupOpen, ended, onSignedIn }: SignInProps) {
  const { api } = useServices()
  const [token] = useState(() => /^#\/setup\?token=([\w-]+)$/.exec(location.hash)?.[1])
  const [error, setError] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const form = useRef<HTMLFormElement>(null)
  const first = setupOpen && token !== undefined
  const title = first ? 'Make the first admin' : 'Sign in'

  useEffect(() => {
    document.title = `${title} · Sightline`
    form.current?.querySelector('input')?.focus()
  }, [title])

  const submit = async (event: Event) => {
    event.preventDefault()
    if (busy || form.current === null) return
    const given = new FormData(form.current)
    const [name, password] = [String(given.get('name')), String(given.get('password'))]
    setBusy(true)
    setError(undefined)
    try {
      const state = await (first ? api.setUp(token, name, password) : api.signIn(name, password))
      // A link that was used is no place to come back to.
      if (token !== undefined) history.replaceState(null, '', '#/search')
      onSignedIn(state)
    } catch (failed) {
      setError(asApiError(failed))
    } finally {
      setBusy(false)
    }
  }

  return (
    <main class="sign-in">
      <form ref={form} class="sign-in-card" onSubmit={submit}>
        <Mark />
        <h1>{title}</h1>
        {setupOpen && !first && (
          <p>Nobody can sign in yet. Open the link that the hub printed when it started.</p>
        )}
        {ended && <p role="status">Your session has ended. Sign in to go on where you were.</p>}
        <Field label="Name" fault={undefined}>
          {control => (
            <input
              {...control}
              type="text"
              name="name"
              autocomplete="username"
              autocapitalize="none"
              required
            />
          )}
        </Field>
        <Field
          label="Password"
          fault={undefined}
          {...(first ? { hint: 'At least twelve characters; a few words will do.' } : {})}
        >
          {control => (
            <input
              {...control}
              name="password"
              type="password"
              autocomplete={first ? 'new-password' : 'current-password'}
              required
            />
          )}
        </Field>
        {error && <ErrorNote error={error} />}
        <button type="submit" class="button button-primary" aria-disabled={busy}>
          {busy ? 'One moment…' : title}
        </button>
      </form>
    </main>
  )
}
