import { type ComponentChildren, createContext } from 'preact'
import { useContext, useEffect, useState } from 'preact/hooks'
import { type ApiError, asApiError } from './api-error.ts'
import type { Role, SessionState } from './api-types.ts'
import { ErrorState } from './components/states.tsx'
import { SignInPage } from './pages/sign-in.tsx'
import { useServices } from './services.ts'

const RANK: Readonly<Record<Role, number>> = { viewer: 1, operator: 2, admin: 3 }

export interface Session {
  /** Null when nobody signed in, because nobody has to. */
  readonly name: string | null
  readonly role: Role
  /** What may be seen, as globs SITE, SITE/NODE or SITE/NODE/CAMERA; null: everything. */
  readonly scope: readonly string[] | null
  /** Whether to offer what needs this role; the hub decides in any case. */
  readonly can: (role: Role) => boolean
  /** @param options.everywhere on every other device, too */
  readonly signOut: (options?: { everywhere?: boolean }) => Promise<void>
}

const SessionContext = createContext<Session | undefined>(undefined)

const UNGATED: Session = {
  name: null,
  role: 'admin',
  scope: null,
  can: () => true,
  signOut: async () => {},
}

/** Without a gate around it, everything may be offered. */
export function useSession(): Session {
  return useContext(SessionContext) ?? UNGATED
}

/** Shows the page to who may see it, and the sign-in to everybody else. */
export function SessionGate({ children }: { children: ComponentChildren }) {
  const { api, live } = useServices()
  const [state, setState] = useState<SessionState>()
  const [error, setError] = useState<ApiError>()
  const [ended, setEnded] = useState(false)
  const load = () => {
    setError(undefined)
    api.session().then(setState, failed => setError(asApiError(failed)))
  }
  useEffect(() => {
    api.onSignInRequired = () => {
      setEnded(true)
      setState(known => (known === undefined ? known : { ...known, signInRequired: true, caller: null }))
    }
    load()
  }, [api])
  const caller = state?.caller
  // Nothing is told to a stranger: he does not ask.
  useEffect(() => {
    if (!caller) return
    live.start()
    return () => live.stop()
  }, [caller?.kind, caller?.name])

  if (state === undefined) return error === undefined ? null : <ErrorState error={error} onRetry={load} />
  if (!caller) return <SignInPage setupOpen={state.setupOpen} ended={ended} onSignedIn={setState} />
  const session: Session = {
    name: caller.name,
    role: caller.role,
    scope: caller.scope,
    can: role => RANK[caller.role] >= RANK[role],
    signOut: async options => {
      await api.signOut(options)
      // Nothing of what was shown stays in the page.
      location.reload()
    },
  }
  return <SessionContext.Provider value={session}>{children}</SessionContext.Provider>
}
