import { fault } from '@sightline/core'
import type { Page, Request } from 'playwright-core'
import { WAIT_MS } from './browser.ts'

/** An answer is drawn by the first frame; the effects of that, which may ask for more, have run after the second. */
const TWO_FRAMES = `new Promise(drawn =>
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(drawn))))`
/**
 * The page shows news of its feed 250 ms after the first of them. Of timers with the same delay the one set first fires
 * first (WHATWG HTML, 8.6): when this one has fired, that one has.
 */
const NEWS_SHOWN = `new Promise(shown => setTimeout(shown, 250))`

/** Whoever looks at a page and can tell when all of it has come. */
export interface Reader {
  readonly page: Page
  /** Resolves when the page has all that it loads by now, and shows it. */
  settled(): Promise<void>
}

/** What a page has asked for and not got yet. */
export class PageRequests {
  readonly #page: Page
  readonly #pending = new Set<Request>()
  #begun = 0
  /** The feed was opened, and what it begins with may not be on show yet. */
  #newsDue = false

  private constructor(page: Page) {
    this.#page = page
  }

  /** Follows the page from now on: nothing that it asked for before is known. */
  static of(page: Page): PageRequests {
    const requests = new PageRequests(page)
    const pending = requests.#pending
    page.on('request', request => {
      pending.add(request)
      // Cameras never cease to bring pictures, and a picture asks for nothing more.
      if (request.resourceType() !== 'image') requests.#begun++
    })
    page.on('response', response => {
      const request = response.request()
      // A feed has no end; the page goes on as soon as it is open.
      if (request.resourceType() === 'eventsource') requests.#newsDue = pending.delete(request)
    })
    for (const over of ['requestfinished', 'requestfailed'] as const)
      page.on(over as 'requestfinished', request => pending.delete(request))
    return requests
  }

  /**
   * Resolves when the page has got all that it asked for, has drawn it, and asks for nothing more because of it. What its
   * feed or its timers bring later is another matter: wait for that by what it shows.
   * @throws INTERNAL naming what did not come
   */
  async settled(): Promise<void> {
    const deadline = performance.now() + WAIT_MS
    for (;;) {
      const begun = this.#begun
      const idle = this.#pending.size === 0
      await this.#page.evaluate(TWO_FRAMES)
      if (idle && this.#pending.size === 0 && begun === this.#begun) {
        if (!this.#newsDue) return
        this.#newsDue = false
        await this.#page.evaluate(NEWS_SHOWN)
      }
      if (performance.now() > deadline) {
        const asked = [...this.#pending].map(request => request.url())
        throw fault('INTERNAL', `the page did not settle in ${WAIT_MS} ms: ${asked.join(' ')}`)
      }
    }
  }
}
