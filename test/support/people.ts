import type { Browser, BrowserContext, Page } from 'playwright-core'
import { WAIT_MS } from './browser.ts'

/** People at the dashboard, each in a browser of their own. */

export const PASSWORD = 'four words do nicely'

export interface Visitor {
  readonly context: BrowserContext
  readonly page: Page
  /** What the page complained about on its console, violations of its content security policy included. */
  readonly complaints: string[]
  /** Bodies of what the hub answered to this browser, as text. */
  readonly answers: () => Promise<string[]>
}

/** A browser that nobody is signed in at yet. */
export async function visitor(browser: Browser): Promise<Visitor> {
  const context = await browser.newContext({ locale: 'en-GB' })
  context.setDefaultTimeout(WAIT_MS)
  const complaints: string[] = []
  context.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  context.on('weberror', ({ error }) => complaints.push(String(error())))
  const page = await context.newPage()
  const bodies: Promise<string>[] = []
  page.on('response', response => {
    const { pathname } = new URL(response.url())
    // The live feed does not end.
    if (pathname.startsWith('/api/') && !pathname.endsWith('/live'))
      bodies.push(response.text().catch(() => ''))
  })
  return { context, page, complaints, answers: () => Promise.all(bodies) }
}

/** Fills in the sign-in form that is shown, and waits until the page is there. */
export async function signIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
}
