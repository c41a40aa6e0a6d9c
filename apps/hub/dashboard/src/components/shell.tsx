import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { plural } from '../format.ts'
import { Icon, type IconName, Mark } from '../icons.tsx'
import type { LiveState } from '../live-connection.ts'
import { formatHash, type Page } from '../router.ts'
import { useLive, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { readTheme, storeTheme, THEMES, type Theme } from '../theme.ts'
import { SystemFooter } from './about.tsx'
import { Account } from './account.tsx'

const NAVIGATION: readonly { page: Page; label: string; icon: IconName }[] = [
  { page: 'search', label: 'Search', icon: 'search' },
  { page: 'live', label: 'Live', icon: 'live' },
  { page: 'devices', label: 'Devices', icon: 'chip' },
  { page: 'rules', label: 'Rules', icon: 'rules' },
  { page: 'review', label: 'Review', icon: 'check' },
  { page: 'system', label: 'System', icon: 'gauge' },
]

const STATES: Readonly<Record<LiveState, string>> = {
  connecting: 'Connecting',
  live: 'Live',
  lost: 'Reconnecting',
}

/** What stands around every page: navigation, state of the connection, theme, footer. */
export function Shell({ page, children }: { page: Page; children: ComponentChildren }) {
  const { state, incidents, announced, loaded } = useLive()
  const main = useRef<HTMLElement>(null)
  const first = useRef(true)
  const open = incidents.filter(incident => incident.endedAt === null).length
  const label = NAVIGATION.find(entry => entry.page === page)?.label ?? ''

  // A new page starts at its top, and says so.
  useEffect(() => {
    document.title = `${label} · Sightline`
    if (!first.current) {
      scrollTo(0, 0)
      main.current?.focus({ preventScroll: true })
    }
    first.current = false
  }, [page, label])

  return (
    <div class="shell">
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to content
      </button>
      <header class="bar">
        <a class="brand" href={formatHash('search')} aria-label="Sightline, search">
          <Mark />
          <span>Sightline</span>
        </a>
        <nav class="nav" aria-label="Main">
          {NAVIGATION.map(entry => (
            <a
              key={entry.page}
              href={formatHash(entry.page)}
              class="nav-link"
              aria-current={entry.page === page ? 'page' : undefined}
            >
              <Icon name={entry.icon} />
              <span>{entry.label}</span>
              {entry.page === 'live' && open > 0 && (
                <span class="nav-count" title={plural(open, 'open incident')}>
                  {open}
                  <span class="visually-hidden">{open === 1 ? ' open incident' : ' open incidents'}</span>
                </span>
              )}
            </a>
          ))}
        </nav>
        <div class="bar-end">
          <span class={`connection connection-${state}`} role="status">
            <span class="connection-dot" aria-hidden="true" />
            {STATES[state]}
          </span>
          <ThemeButton />
          <SessionButton />
        </div>
      </header>
      {state === 'lost' && <OfflineBanner loaded={loaded} />}
      <main ref={main} class="main" tabIndex={-1}>
        {children}
        <SystemFooter page={page} />
      </main>
      <p class="visually-hidden" aria-live="polite">
        {announced !== undefined &&
          `New incident: ${announced.ruleName}, ${announced.severity}, on camera ${announced.camera}.`}
      </p>
    </div>
  )
}

function OfflineBanner({ loaded }: { loaded: boolean }) {
  const { live } = useServices()
  return (
    <div class="banner" role="status">
      <Icon name="offline" />
      <p>
        <strong>The connection to the hub is lost.</strong>{' '}
        {loaded ? 'What you see is from before; it is being tried again.' : 'It is being tried again.'}
      </p>
      <button type="button" class="button button-small" onClick={() => live.retryNow()}>
        Try now
      </button>
    </div>
  )
}

function SessionButton() {
  const { name, role } = useSession()
  const [open, setOpen] = useState(false)
  if (name === null) return null
  return (
    <>
      <button type="button" class="session" onClick={() => setOpen(true)}>
        <Icon name="user" />
        <span class="session-name">{name}</span>
        <span class="session-role">{role}</span>
        <span class="visually-hidden">, your account</span>
      </button>
      {open && <Account onClose={() => setOpen(false)} />}
    </>
  )
}

const THEME_ICONS: Readonly<Record<Theme, IconName>> = { system: 'screen', light: 'sun', dark: 'moon' }

function ThemeButton() {
  const [theme, setTheme] = useState(readTheme)
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system'
  const change = () => {
    storeTheme(next)
    setTheme(next)
  }
  return (
    <button
      type="button"
      class="icon-button"
      onClick={change}
      aria-label={`Theme: ${theme}. Change to ${next}`}
      title={`Theme: ${theme}`}
    >
      <Icon name={THEME_ICONS[theme]} />
    </button>
  )
}
