import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

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
