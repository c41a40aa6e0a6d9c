import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chromiumPath, launchChromium } from '../../../../test/support/browser.ts'
import { photo, TestHub } from '../moderation/hub.ts'

const executable = chromiumPath()

describe.skipIf(executable === undefined)('the address of a picture, pasted on the search page', () => {
  let server: Server
  let url: string
  let browser: Browser

  beforeAll(async () => {
    const moose = await photo('yard/13-moose')
    server = createServer((_request, response) => {
      response.setHeader('content-type', 'image/jpeg').end(moose)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/moose.jpg`
    browser = await launchChromium(executable!)
  })
  afterAll(async () => {
    await browser?.close()
    server?.close()
  })

  const paste = async (page: Page, text: string) => {
    await page.getByRole('searchbox').waitFor()
    return await page.evaluate<string>(`(() => {
      const clipboardData = new DataTransfer()
      clipboardData.setData('text/plain', ${JSON.stringify(text)})
      const event = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true })
      return document.querySelector('input[type=search]').dispatchEvent(event) ? 'words' : 'taken'
    })()`)
  }

  it('is searched by where the hub fetches pictures, and a refusal says what to do', async () => {
    const hub = await TestHub.start({ searchByUrl: { enabled: true, allow: ['127.0.0.1/32'] } })
    const page = await browser.newPage()
    try {
      await page.goto(`${hub.url}/#/search`)
      await expect.poll(() => paste(page, url)).toBe('taken')
      await page.getByRole('heading', { name: 'Best matches' }).waitFor()
      await page.locator('.subject-label', { hasText: '127.0.0.1' }).waitFor()
      await page.locator('.grid li').first().getByText('yard').first().waitFor()
      expect(await paste(page, 'http://10.0.0.1/a.jpg')).toBe('taken')
      await page.getByRole('alert').getByText('10.0.0.1 does not lie on the public internet').waitFor()
      expect(await paste(page, 'a moose')).toBe('words')
    } finally {
      await page.close()
      await hub.stop()
    }
  })

  it('is words like others where it does not', async () => {
    const hub = await TestHub.start()
    const page = await browser.newPage()
    try {
      const told = page.waitForResponse(`${hub.url}/api/v1/system`)
      await page.goto(`${hub.url}/#/search`)
      await (await told).finished()
      await page.getByRole('heading', { name: 'Newest frames' }).waitFor()
      expect(await paste(page, url)).toBe('words')
    } finally {
      await page.close()
      await hub.stop()
    }
  })
})
