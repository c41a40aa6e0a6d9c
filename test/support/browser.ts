import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core'

/** How long a page is waited for; it only ends what hangs. */
export const WAIT_MS = 60_000

const CHROMIUM = process.env.SIGHTLINE_CHROMIUM || '/usr/bin/chromium'

/** Where Chromium is, or why tests that need it are skipped. */
export function chromiumPath(): string | undefined {
  if (existsSync(CHROMIUM)) return CHROMIUM
  process.stdout.write(`skipped: no Chromium at ${CHROMIUM}; install it or set SIGHTLINE_CHROMIUM\n`)
  return undefined
}

/** A headless Chromium that talks to nobody but the page's own server. */
export async function launchChromium(executablePath: string): Promise<Browser> {
  return await chromium.launch({
    executablePath,
    args: [
      // Chromium's own sandbox needs privileges that containers and root accounts do not have.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

export interface WatchedContext {
  readonly context: BrowserContext
  /** What its pages complained about on their consoles, violations of their content security policy included. */
  readonly complaints: string[]
}

/** A browser of nobody's yet. */
export async function watchedContext(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<WatchedContext> {
  // Nothing is clicked or looked at on its way to where it ends.
  const context = await browser.newContext({ locale: 'en-GB', reducedMotion: 'reduce', ...options })
  context.setDefaultTimeout(WAIT_MS)
  const complaints: string[] = []
  context.on('console', message => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  context.on('weberror', ({ error }) => complaints.push(String(error())))
  return { context, complaints }
}
