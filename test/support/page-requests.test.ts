import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chromiumPath, launchChromium } from './browser.ts'
import { PageRequests } from './page-requests.ts'

/** Shows what it got, and asks for more because of what it shows: as effects of Preact do, after the next frame. */
const CHAIN = `<p></p><script>
  const ask = async link => {
    document.querySelector('p').textContent += await (await fetch('/link/' + link)).text()
    if (link < 9) requestAnimationFrame(() => setTimeout(() => ask(link + 1)))
  }
  ask(0)
</script>`
/** Asks for what there is when its feed is open, and shows it with the news of the next 250 ms. */
const FED = `<p></p><script>
  new EventSource('/feed').onopen = async () => {
    const news = await (await fetch('/held')).text()
    setTimeout(() => { document.querySelector('p').textContent = news }, 250)
  }
</script>`
const STUCK = `<p></p><script>fetch('/held')</script>`

const executable = chromiumPath()

describe.skipIf(executable === undefined)('a page that has settled', () => {
  const pages: Record<string, string> = { '/chain': CHAIN, '/fed': FED, '/stuck': STUCK }
  /** Answers that the test gives. */
  let held: ServerResponse[]
  const server = createServer(({ url = '' }, response) => {
    const page = pages[url]
    if (page !== undefined) response.setHeader('content-type', 'text/html').end(page)
    else if (url.startsWith('/link/')) response.end(url.slice('/link/'.length))
    else if (url === '/feed') response.setHeader('content-type', 'text/event-stream').flushHeaders()
    else if (url !== '/held') response.writeHead(404).end()
    else {
      held.push(response)
      server.emit('held')
    }
  })
  let browser: Browser
  let page: Page
  let requests: PageRequests

  beforeAll(async () => {
    await once(server.listen(0, '127.0.0.1'), 'listening')
    browser = await launchChromium(executable!)
  })
  afterAll(async () => {
    await browser?.close()
    server.closeAllConnections()
    server.close()
  })
  beforeEach(async () => {
    held = []
    page = await browser.newPage()
    requests = PageRequests.of(page)
  })
  const open = (path: string) =>
    page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`)
  const shown = () => page.evaluate<string>(`document.querySelector('p').textContent`)
  const answer = async () => {
    if (held.length === 0) await once(server, 'held')
    return held[0]!
  }

  it('has got all that it asked for because of what it had got', async () => {
    await open('/chain')
    await requests.settled()
    expect(await shown()).toBe('0123456789')
  })

  it('shows what its feed begins with, and does not wait for the end of that', async () => {
    await open('/fed')
    const settling = requests.settled()
    ;(await answer()).end('news')
    await settling
    expect(await shown()).toBe('news')
  })

  it('waits no longer for what the document before had asked for', async () => {
    await open('/stuck')
    await answer()
    await open('/chain')
    await requests.settled()
    expect(await shown()).toBe('0123456789')
  })
})
