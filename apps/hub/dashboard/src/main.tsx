import { render } from 'preact'
import { ApiClient } from './api.ts'
import { App } from './app.tsx'
import { LiveStore } from './live-store.ts'
import { ServicesContext } from './services.ts'
import { SessionGate } from './session.tsx'
import './styles/index.css'
import { applyTheme, readTheme } from './theme.ts'

/** The one place where the page's parts are made. */
const api = new ApiClient({ fetch: (input, init) => fetch(input, init) })
const live = new LiveStore({
  api,
  open: () => new EventSource('/api/v1/live'),
  schedule: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs)
    return () => clearTimeout(timer)
  },
})

applyTheme(readTheme())
addEventListener('pagehide', () => live.suspend())
addEventListener('pageshow', event => {
  if (event.persisted) live.retryNow()
})
addEventListener('online', () => live.retryNow())

render(
  <ServicesContext.Provider value={{ api, live }}>
    <SessionGate>
      <App />
    </SessionGate>
  </ServicesContext.Provider>,
  document.getElementById('app')!,
)
