import { useEffect, useState } from 'preact/hooks'

/** Pages by hash, so that the hub serves one file and every view has an address that can be shared. */
export const PAGES = ['search', 'live', 'devices', 'rules', 'review', 'system'] as const
export type Page = (typeof PAGES)[number]

export interface Route {
  readonly page: Page
  readonly params: Readonly<Record<string, string>>
}

/** `#/search?text=a%20cat`; anything unknown is the search page. */
export function parseHash(hash: string): Route {
  const [path = '', query = ''] = split(hash.replace(/^#\/?/, ''))
  const page = PAGES.find(name => name === path) ?? 'search'
  return { page, params: Object.fromEntries(new URLSearchParams(query)) }
}

export function formatHash(page: Page, params: Readonly<Record<string, string | undefined>> = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(params)) if (value) search.set(name, value)
  const query = search.toString()
  return `#/${page}${query === '' ? '' : `?${query}`}`
}

export function navigate(hash: string, { replace = false } = {}): void {
  if (hash === location.hash) return
  if (!replace) {
    location.hash = hash
    return
  }
  history.replaceState(null, '', hash)
  // replaceState alone tells nobody.
  dispatchEvent(new HashChangeEvent('hashchange'))
}

export function useRoute(): Route {
  const [hash, setHash] = useState(() => location.hash)
  useEffect(() => {
    const follow = () => setHash(location.hash)
    addEventListener('hashchange', follow)
    return () => removeEventListener('hashchange', follow)
  }, [])
  return parseHash(hash)
}

function split(text: string): [string, string] {
  const at = text.indexOf('?')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
