import type { Page } from 'playwright-core'
import type { Furnished } from './furnished-hub.ts'
import type { Reader } from './page-requests.ts'

/** Something that the dashboard shows, and how a reader gets there. */
export interface DashboardView {
  readonly name: string
  readonly hash: string
  /** What must be there before the view is looked at. */
  readonly ready: string
  /** Opens what lies over the page. */
  readonly act?: (page: Page) => Promise<unknown>
}

const press = (name: string | RegExp) => (page: Page) => page.getByRole('button', { name }).first().click()

export const SIGN_IN: DashboardView = { name: 'sign-in', hash: '#/search', ready: 'form h1' }

const ONE_DEVICE = '#/devices?device=default%2Fn1'

/** Every page of a hub that `furnish` has filled, and every dialog, for an admin; `query` is what is searched for. */
export function dashboardViews({ frameId }: Furnished, query: string): DashboardView[] {
  const searched = `#/search?text=${encodeURIComponent(query)}`
  return [
    { name: 'search', hash: '#/search', ready: '.grid .frame img' },
    { name: 'results', hash: searched, ready: '.results[aria-busy="false"] .grid .frame .score' },
    { name: 'live', hash: '#/live', ready: '.tile' },
    { name: 'devices', hash: '#/devices', ready: '.fleet tbody tr' },
    { name: 'device', hash: ONE_DEVICE, ready: '.device-panel .camera' },
    { name: 'rules', hash: '#/rules', ready: '.rule' },
    { name: 'review', hash: '#/review', ready: '.review-detail' },
    { name: 'system', hash: '#/system', ready: '.system .used-bar' },
  ].concat(OVERLAYS, {
    name: 'drawer',
    hash: `${searched}&frame=${encodeURIComponent(frameId)}`,
    ready: '.drawer .drawer-picture img',
  })
}

const OVERLAYS: DashboardView[] = [
  { name: 'save search', hash: '#/search?text=a', ready: '.results', act: press('Save search') },
  { name: 'enrol', hash: '#/devices', ready: 'h1', act: press('Enrol a device') },
  {
    name: 'configuration',
    hash: ONE_DEVICE,
    ready: '.device-panel .camera',
    act: press('Edit settings'),
  },
  { name: 'rule editor', hash: '#/rules', ready: '.rule', act: press(/^Edit/) },
  { name: 'rule history', hash: '#/rules', ready: '.rule', act: press('History') },
  { name: 'starter packs', hash: '#/rules', ready: '.rule', act: press('Starter packs') },
  { name: 'new user', hash: '#/system', ready: '.rows', act: press('Add a user') },
  { name: 'deletion', hash: '#/system', ready: '.rows', act: press('Delete frames') },
  { name: 'new key', hash: '#/system', ready: '.rows', act: press('Make a key') },
  { name: 'account', hash: '#/search', ready: '.session', act: page => page.locator('.session').click() },
  { name: 'about', hash: '#/search', ready: '.footer button', act: press('About this system') },
]

/**
 * Opens the view in the page, from anywhere: once there, as a reader goes on, who loads nothing anew. Resolves when all of
 * it has come.
 */
export async function show(reader: Reader, url: string, view: DashboardView): Promise<void> {
  const { page } = reader
  const { hash, ready, act } = view
  if (page.url().startsWith(url)) {
    await leaveDialog(page)
    await page.evaluate(`location.hash = ${JSON.stringify(hash)}`)
  } else await page.goto(`${url}/${hash}`)
  // What is ready before that may be of the view before.
  await reader.settled()
  await page.locator(ready).first().waitFor()
  if (act === undefined) return
  await act(page)
  await page.locator('dialog[open]').first().waitFor()
  await reader.settled()
}

async function leaveDialog(page: Page): Promise<void> {
  const open = page.locator('dialog[open]')
  if ((await open.count()) === 0) return
  await page.keyboard.press('Escape')
  await open.waitFor({ state: 'detached' })
}
