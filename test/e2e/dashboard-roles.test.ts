import type { Page } from 'playwright-core'
import { beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage } from '../support/browser-stage.ts'
import { type DashboardView, dashboardViews, show } from '../support/dashboard-views.ts'
import { firstAdmin, furnish } from '../support/furnished-hub.ts'
import { PASSWORD, signIn, type Visitor, visitor } from '../support/people.ts'

const PEOPLE = [
  { name: 'lisa', role: 'viewer', scope: ['default/n1/lighthouse'] },
  { name: 'vera', role: 'viewer' },
  { name: 'otto', role: 'operator' },
  { name: 'ada', role: 'admin' },
] as const
type Name = (typeof PEOPLE)[number]['name']

const ADMINS: Name[] = ['ada']
const OPERATORS: Name[] = ['otto', 'ada']
/** Whoever sees everything. */
const UNLIMITED: Name[] = ['vera', 'otto', 'ada']
const ALL: Name[] = ['lisa', 'vera', 'otto', 'ada']

const SEARCHING = { 'Search by a picture': ALL, Search: ALL, Camera: ALL, Rule: ALL, Time: ALL }
const FRAMES = { 'Details: …': ALL, 'More like this: …': ALL }

/** What each page offers, and to whom: all of its buttons, links that look like one, choices and boxes to write in. */
const OFFERED: Record<string, Record<string, readonly Name[]>> = {
  search: {
    ...SEARCHING,
    ...FRAMES,
    'An example': ALL,
    // Once something is found it is counted by tags, of what its reader may see.
    Tag: UNLIMITED,
    // Of whoever saved it, and of operators.
    'Delete A boat that nobody knows': OPERATORS,
    'Delete of lisa': ['lisa', ...OPERATORS],
    'Delete of vera': UNLIMITED,
  },
  results: { ...SEARCHING, ...FRAMES, Tag: ALL, 'Save search': ALL },
  live: { Pause: ALL, Ongoing: ALL, 'Details: …': ALL },
  devices: {
    'Enrol a device': OPERATORS,
    ...{ Site: ALL, Health: ALL, Version: ALL, Order: ALL },
    'Withdraw the enrolment of default/n7': OPERATORS,
  },
  device: {
    Revoke: OPERATORS,
    'Delete all it sent': ADMINS,
    'Edit settings': OPERATORS,
    'Edit those of the site': OPERATORS,
    'Show settings': ['vera'],
    'Show those of the site': ['vera'],
    ...{ '1 h': UNLIMITED, '6 h': UNLIMITED, '24 h': UNLIMITED },
    'Send a command': OPERATORS,
  },
  rules: {
    ...{ 'Starter packs': OPERATORS, Import: OPERATORS, 'New rule': OPERATORS },
    ...{ Export: ALL, History: UNLIMITED },
    ...{ 'Enable …': OPERATORS, 'Edit …': OPERATORS, 'Export … as YAML': ALL, 'Delete …': OPERATORS },
  },
  review: {
    'An incident': ALL,
    ...{ Previous: ALL, Next: ALL },
    ...{ Confirm: OPERATORS, Dismiss: OPERATORS, Undo: OPERATORS },
    ...{ 'It shows what another rule looks for': OPERATORS, 'Note, kept with the verdict': OPERATORS },
  },
  system: {
    Refresh: ALL,
    ...{ 'Add a user': ADMINS, 'Change …': ADMINS, 'Remove …': ADMINS, 'Make a key': ADMINS },
    'Delete frames': ADMINS,
  },
  drawer: {
    Close: ALL,
    ...{ 'More like this': ALL, 'Only this camera': ALL, 'Copy link': ALL, 'Make a rule': OPERATORS },
    ...{ Tag: OPERATORS, 'Take the tag A boat that nobody knows away': OPERATORS },
  },
  'rule history': {
    ...{ Close: UNLIMITED, 'Compare version 1': UNLIMITED, 'Restore version 1': OPERATORS },
  },
  'settings to read': { Close: ['vera'] },
}

/** Who can open a dialog; what it offers is what its own tests say. */
const OPENED: Record<string, readonly Name[]> = {
  ...{ 'save search': ALL, account: ALL, about: ALL },
  ...{ enrol: OPERATORS, configuration: OPERATORS, 'rule editor': OPERATORS, 'starter packs': OPERATORS },
  ...{ 'new user': ADMINS, 'new key': ADMINS, deletion: ADMINS },
}

/** Names of what is of one kind, by kind; undefined: not looked at. */
const KINDS: readonly (readonly [RegExp, string | undefined])[] = [
  [/^(Details|More like this): .*/, '$1: …'],
  // How many there are, and whether there are any, is a matter of time.
  [/^In trouble.*/, undefined],
  [/^About this system$/, undefined],
  [/^(Ongoing) \d+/, '$1'],
  [/^(Confirm|Dismiss|Undo) [a-z]$/, '$1'],
  [/^(It shows what another rule looks for|Note, kept with the verdict) [a-z].*/, '$1'],
]

const executable = chromiumPath()

describe.skipIf(executable === undefined)('what the dashboard offers', () => {
  const stage = BrowserStage.forAllTests(executable)
  let views: DashboardView[]

  beforeAll(async () => {
    const { hub } = stage
    const furnished = await furnish(hub, 'A boat that nobody knows')
    const { token } = await send(hub.url, 'enrollments', { site: 'default', node: 'n1' })
    await send(hub.url, 'enroll', { token, agent: '1.0.0' })
    await send(hub.url, 'enrollments', { site: 'default', node: 'n7' })
    await firstAdmin(hub, 'ada')
    views = viewsOf(dashboardViews(furnished, 'a lighthouse'))
    const ada = await enter('ada')
    for (const person of PEOPLE.slice(0, 3)) await post(ada.page, 'users', { ...person, password: PASSWORD })
    for (const name of ['lisa', 'vera'] as const) {
      const { page, context } = await enter(name)
      await post(page, 'searches', { name: `of ${name}`, text: 'a lighthouse', threshold: 0.9 })
      await context.close()
    }
    await ada.context.close()
  })

  /** In a browser of their own. */
  async function enter(name: Name): Promise<Visitor> {
    const visit = await visitor(stage.browser)
    await visit.page.goto(stage.hub.url)
    await signIn(visit.page, name)
    return visit
  }

  it.each(PEOPLE)(
    'offers $name what the role $role may do, and asks for nothing else',
    async ({ name }) => {
      const visit = await enter(name)
      const { page } = visit
      const refused: string[] = []
      page.on('response', response => {
        if (response.status() >= 400) refused.push(`${response.status()} ${response.url()}`)
      })
      for (const view of views) {
        const table = OFFERED[view.name]
        const people = OPENED[view.name] ?? Object.values(table!).flat()
        if (!people.includes(name)) continue
        await show(visit, stage.hub.url, view)
        if (table !== undefined) {
          const expected = Object.keys(table).filter(action => table[action]!.includes(name))
          expect(await offered(page, view), view.name).toEqual(expected.sort())
        }
        expect(await page.getByRole('alert').allTextContents(), view.name).toEqual([])
        expect(refused, view.name).toEqual([])
      }
      expect(visit.complaints).toEqual([])
      await visit.context.close()
    },
    300_000,
  )
})

/** The dialog for the history is opened with a comparison; what viewers read of settings comes along. */
function viewsOf(known: readonly DashboardView[]): DashboardView[] {
  const device = known.find(({ name }) => name === 'device')!
  const views = known.map((view): DashboardView => {
    // Figures of the whole system are not everybody's.
    if (view.name === 'system') return { ...view, ready: '.system .facts' }
    if (view.name !== 'rule history') return view
    const act = async (page: Page) => {
      await view.act!(page)
      await page.getByRole('button', { name: 'Compare version 1' }).click()
      await page.getByRole('region', { name: 'If version 1 is restored' }).waitFor()
    }
    return { ...view, act }
  })
  const read = (page: Page) => page.getByRole('button', { name: 'Show settings' }).click()
  const all = [...views, { ...device, name: 'settings to read', act: read }]
  expect(all.map(({ name }) => name).sort()).toEqual([...Object.keys(OFFERED), ...Object.keys(OPENED)].sort())
  return all
}

/** What can be pressed, chosen or written in: of the dialog that is open, else of the page. */
async function offered(page: Page, { name, act }: DashboardView): Promise<string[]> {
  const root = act !== undefined || name === 'drawer' ? 'dialog[open]' : 'main'
  const found = await page.evaluate<string[]>(`(() => {
    const controls = [...document.querySelectorAll('${root} :is(button, a.button, select, textarea)')]
    return controls
      .filter(one => one.readOnly !== true && !(one.role === 'switch' && one.ariaDisabled === 'true'))
      .map(one => {
        if (one.closest('.review-list') !== null) return 'An incident'
        if (one.closest('.examples') !== null) return 'An example'
        const label = one.matches('select, textarea') ? one.labels[0] : one
        return (one.ariaLabel ?? label.textContent).trim().replace(/\\s+/g, ' ')
      })
  })()`)
  const kinds = [...KINDS, ...(KINDS_OF[name] ?? [])]
  const names = found.flatMap(text => {
    const kind = kinds.find(([pattern]) => pattern.test(text))
    if (kind === undefined) return text
    return kind[1] === undefined ? [] : text.replace(kind[0], kind[1])
  })
  return [...new Set(names)].sort()
}

/** Names that are of one kind on one page alone. */
const KINDS_OF: Record<string, typeof KINDS> = {
  rules: [
    [/^(Edit|Delete) .*/, '$1 …'],
    [/^Export .* as YAML$/, 'Export … as YAML'],
    [/^.*: enabled$/, 'Enable …'],
  ],
  system: [[/^(Change|Remove) .*/, '$1 …']],
}

async function send(url: string, path: string, body: object) {
  const headers = { 'content-type': 'application/json' }
  const response = await fetch(`${url}/api/v1/${path}`, {
    method: 'POST',
    headers,
    body: JSON.stringify(body),
  })
  expect(response.ok, path).toBe(true)
  return (await response.json()) as { readonly token?: string }
}

/** As who is signed in there. */
async function post(page: Page, path: string, body: object): Promise<void> {
  const status = await page.evaluate<number>(`fetch('/api/v1/${path}', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: ${JSON.stringify(JSON.stringify(body))},
  }).then(({ status }) => status)`)
  expect(status).toBe(201)
}
