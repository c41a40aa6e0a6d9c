import { readFile } from 'node:fs/promises'
import type { JSHandle, Locator, Page } from 'playwright-core'
import type { Reader } from './page-requests.ts'

/** What a reader does on the dashboard, and where things are on its pages. */

/** Of the answer to what was asked last, not of the one that is still shown while that is under way. */
export function firstHit(page: Page, camera: string): Locator {
  return page.locator(
    `.results[aria-busy="false"] .grid > li:first-child:has(.score) .frame-camera:text-is("${camera}")`,
  )
}

export async function focusIsIn(page: Page, selector: string): Promise<boolean> {
  return await page.evaluate<boolean>(`document.activeElement.closest(${JSON.stringify(selector)}) !== null`)
}

/** Resolves with the answer: nothing of the one before is shown any more. */
export async function searchFor(reader: Reader, text: string): Promise<void> {
  const box = reader.page.getByRole('searchbox', { name: 'Search all cameras' })
  await box.fill(text)
  await box.press('Enter')
  await reader.settled()
}

/** What a dragged file is to the page. */
export async function transferOf(page: Page, name: string, jpeg: Buffer): Promise<JSHandle> {
  return await page.evaluateHandle(`(() => {
    const bytes = Uint8Array.from(atob('${jpeg.toString('base64')}'), letter => letter.charCodeAt(0))
    const transfer = new DataTransfer()
    transfer.items.add(new File([bytes], ${JSON.stringify(name)}, { type: 'image/jpeg' }))
    return transfer
  })()`)
}

export interface RuleDraft {
  readonly name: string
  readonly positives: string
  readonly negatives?: string
}

/** Opens the editor of a new rule and fills it in. */
export async function writeRule(page: Page, rule: RuleDraft): Promise<void> {
  await page.getByRole('button', { name: 'New rule' }).click()
  const editor = page.getByRole('dialog', { name: 'New rule' })
  await editor.waitFor()
  // A new rule begins with its name: it has the focus.
  await page.keyboard.type(rule.name)
  await editor.getByLabel('Look for').fill(rule.positives)
  await editor.getByLabel('But not').fill(rule.negatives ?? '')
  await editor.getByLabel('Fires at').fill('0.4')
  await editor.getByLabel('Lets go below').fill('0.3')
}

/** Begins to come when the hub tries the rule with so many pictures; while it is busy, the page asks again. */
export async function trialOf(page: Page, { like, unlike }: { like: number; unlike: number }): Promise<void> {
  await page.waitForResponse(response => {
    if (!response.url().endsWith('/rules/backtest') || !response.ok()) return false
    const { rule } = response.request().postDataJSON()
    return rule.positiveExamples?.length === like && rule.negativeExamples?.length === unlike
  })
}

export async function saveRule(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Save and publish' }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
}

/** The rules page says which version the hub has, and on how many devices it is in force. */
export async function inForce(page: Page, version: number): Promise<void> {
  await page.getByText(new RegExp(`^Version ${version},.* in force on 1 of 1 device`)).waitFor()
}

export async function downloadOf(page: Page, link: Locator): Promise<string> {
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()])
  return await readFile(await download.path(), 'utf8')
}
