import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { type WatchedContext, watchedContext } from './browser.ts'
import { PageRequests, type Reader } from './page-requests.ts'

/** People at the dashboard, each in a browser of their own. */

export const PASSWORD = 'four words do nicely'

export interface Visitor extends WatchedContext, Reader {
  /** Bodies of what the hub answered to this browser, as text. */
  readonly answers: () => Promise<string[]>
}

/** A browser that nobody is signed in at yet. */
export async function visitor(browser: Browser, options?: BrowserContextOptions): Promise<Visitor> {
  const { context, complaints } = await watchedContext(browser, options)
  const page = await context.newPage()
  const requests = PageRequests.of(page)
  const bodies: Promise<string>[] = []
  page.on('response', response => {
    const { pathname } = new URL(response.url())
    // The live feed does not end.
    if (pathname.startsWith('/api/') && !pathname.endsWith('/live'))
      bodies.push(response.text().catch(() => ''))
  })
  return {
    ...{ context, page, complaints },
    answers: () => Promise.all(bodies),
    settled: () => requests.settled(),
  }
}

/** Fills in the sign-in form that is shown, and waits until the page is there. */
export async function signIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Main' }).waitFor()
}
