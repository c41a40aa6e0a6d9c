import type { Page } from 'playwright-core'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { chromiumPath } from '../support/browser.ts'
import { BrowserStage, Tab } from '../support/browser-stage.ts'
import { furnish } from '../support/furnished-hub.ts'

const executable = chromiumPath()

describe.skipIf(executable === undefined)('dialogs in a browser', () => {
  const stage = BrowserStage.forAllTests(executable)
  const tab = Tab.forEachTest(stage, { viewport: { width: 1280, height: 800 } })
  let page: Page

  beforeAll(async () => {
    await furnish(stage.hub, 'A boat that nobody knows')
  })
  beforeEach(() => {
    page = tab.page
  })

  it('keeps what was written until leaving is meant', async () => {
    await tab.open('rules')
    await page.getByRole('button', { name: 'Edit Coffee or tea', exact: true }).click()
    const editor = page.getByRole('dialog', { name: 'Edit rule' })
    const name = editor.getByLabel('Name')
    // Nothing written yet: the backdrop closes it.
    await page.mouse.click(5, 5)
    await editor.waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Edit Coffee or tea', exact: true }).click()
    await name.fill('Espresso')
    // Text that is marked with the mouse may end outside.
    const box = (await name.boundingBox())!
    await page.mouse.move(box.x + 20, box.y + box.height / 2)
    await page.mouse.down()
    await page.mouse.move(5, 5)
    await page.mouse.up()
    expect(await editor.getByRole('alert').count()).toBe(0)
    await page.mouse.click(5, 5)
    await editor.getByText('What stands here is not kept anywhere else.').waitFor()
    await editor.getByRole('button', { name: 'Stay' }).click()
    expect(await name.inputValue()).toBe('Espresso')
    await page.keyboard.press('Escape')
    await editor.getByRole('button', { name: 'Close all the same' }).click()
    await editor.waitFor({ state: 'detached' })
    await page.getByRole('heading', { name: 'Coffee or tea', exact: true }).waitFor()
  })

  it('say what was deleted, also of a device that is then not there any more', async () => {
    await tab.open('devices?device=default%2Fn1')
    await page.getByRole('button', { name: 'Delete all it sent' }).click()
    const erase = page.getByRole('dialog', { name: 'Delete for good' })
    await erase.getByRole('button', { name: 'Count' }).click()
    await erase.getByRole('button', { name: 'Delete for good' }).click()
    await page.getByText('There is no such device').waitFor()
    await erase.getByText('Deleted:').waitFor()
    await erase.getByText(/^3 frames with vectors/).waitFor()
    await erase.getByRole('button', { name: 'Done' }).click()
    expect(await page.getByRole('button', { name: 'Delete all it sent' }).count()).toBe(0)
  })
})
