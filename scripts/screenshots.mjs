/**
 * `npm run screenshots [-- VIEW…]`: pictures of the dashboard while an agent plays the sample frames. Those of the
 * documentation go to docs/images; dark and narrow ones of every view, or of those that are named, go to
 * test-artifacts/dashboard, to be looked at.
 */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { eventually, HubApi } from '../test/support/api.ts'
import { chromiumPath, launchChromium } from '../test/support/browser.ts'
import { PASSWORD, signIn } from '../test/support/people.ts'
import { ROOT, scratch, startAgent, startHub } from '../test/support/processes.ts'
import { SAMPLES, samplePhotos } from '../test/support/samples.ts'

const DOCS = join(ROOT, 'docs/images')
const REVIEW = join(ROOT, 'test-artifacts/dashboard')
const WIDE = { width: 1280, height: 800 }
const NARROW = { width: 390, height: 844 }
const QUERY = 'a boat at sunset'
/** So many times every sample photo has been seen: some stand in stacks then, as they do on a real camera. */
const ROUNDS = 2

/** Name -> address, and what must be on the page before the picture is taken. */
const VIEWS = {
  home: { hash: '#/search', ready: '.grid .frame img' },
  search: { hash: `#/search?text=${encodeURIComponent(QUERY)}`, ready: '.grid .frame .score' },
  live: { hash: '#/live', ready: '.tile:has(.fired-badge) >> nth=1' },
  devices: { hash: '#/devices?device=default/sample-agent', ready: '.line-chart canvas' },
  fleet: { hash: '#/devices', ready: '.fleet tbody tr' },
  rules: { hash: '#/rules', ready: '.page-sub:has-text("in force on 1 of 1")' },
  drawer: { hash: `#/search?text=${encodeURIComponent(QUERY)}`, ready: '.frame', act: openDrawer },
  editor: { hash: '#/rules', ready: '.rule', act: openEditor },
  review: { hash: '#/review', ready: '.review-detail img' },
  about: { hash: '#/devices', ready: '.footer button', act: page => page.click('.footer button') },
}
/** Of a hub that asks people who they are. Everything but the sign-in itself is an admin's. */
const SIGNED_IN_VIEWS = {
  'sign-in': { hash: '#/search', ready: 'form h1' },
  system: { hash: '#/system', ready: '.system .used-bar', whole: true },
  user: { hash: '#/system', ready: 'h3:has-text("vera")', act: page => press(page, 'Change vera') },
  key: { hash: '#/system', ready: '.rows', act: page => press(page, 'Make a key') },
  erase: { hash: '#/system', ready: '.rows', act: page => press(page, 'Delete frames') },
  account: { hash: '#/search', ready: '.session', act: page => page.click('.session') },
}
const IN_DOCS = ['search', 'live', 'rules', 'editor', 'devices']

function press(page, name) {
  return page.getByRole('button', { name }).click()
}

async function openDrawer(page) {
  await page.click('.frame-open >> nth=0')
  await page.waitForSelector('.drawer .verdicts, .drawer .hint')
}

async function openEditor(page) {
  await page.getByRole('button', { name: 'New rule' }).click()
  await page.getByLabel('Name').fill('Somebody with a dog')
  await page.getByLabel('Look for').fill('a dog\na person walking a dog')
  await page.getByLabel('But not').fill('a cat\nan empty street')
  await page.waitForSelector('.backtest-result:not(.backtest-stale) .examples img')
}

async function picture(page, file, { whole = false } = {}) {
  await page.waitForFunction(() =>
    [...document.images].every(image => image.complete || image.getBoundingClientRect().top > innerHeight),
  )
  const png = await page.screenshot({ animations: 'disabled', fullPage: whole })
  await writeFile(file, await sharp(png).png({ palette: true, quality: 95, effort: 9 }).toBuffer())
}

/** Two people and a key, so that there is something to see; from the first one on everybody signs in. */
async function addPeople(url) {
  const send = async (path, body, headers = {}) => {
    const response = await fetch(`${url}/api/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    })
    return response.headers.getSetCookie()[0]?.split(';')[0]
  }
  await send('users', { name: 'ada', password: PASSWORD, role: 'admin' })
  const cookie = await send('session', { name: 'ada', password: PASSWORD })
  const own = { cookie, origin: url }
  await send('users', { name: 'vera', password: PASSWORD, role: 'viewer', scope: ['default/*/yard'] }, own)
  await send('keys', { name: 'grafana', role: 'viewer', expiresInDays: 90 }, own)
}

async function shoot(browser, url, { theme, viewport, views, dir, name, table = VIEWS }) {
  await mkdir(dir, { recursive: true })
  const context = await browser.newContext({ viewport, colorScheme: theme, locale: 'en-GB' })
  try {
    for (const view of views) {
      const { hash, ready, act, whole } = table[view]
      // A page of its own for each view: only the hash differs, and that alone would not load anything anew.
      const page = await context.newPage()
      await page.goto(`${url}/${hash}`)
      if (table === SIGNED_IN_VIEWS && view !== 'sign-in' && !(await signedIn(page)))
        await signIn(page, 'ada')
      if (view !== 'sign-in') await page.locator('.connection-live').waitFor()
      await page.locator(ready).first().waitFor({ timeout: 90_000 })
      await act?.(page)
      await picture(page, join(dir, name(view)), { whole })
      await page.close()
    }
  } finally {
    await context.close()
  }
}

async function signedIn(page) {
  await page.locator('.session, form h1').first().waitFor()
  return (await page.locator('.session').count()) > 0
}

const named = process.argv.slice(2)
const wantedOf = table => Object.keys(table).filter(view => named.length === 0 || named.includes(view))

const executable = chromiumPath()
if (executable === undefined) process.exit(1)
const { dir, own, clean } = await scratch()
try {
  const hub = await startHub(dir)
  own(hub.program)
  const cameras = (await readdir(SAMPLES)).map(name => ({
    name,
    source: `folder:${join(SAMPLES, name)}`,
    fps: 0.5,
  }))
  own(await startAgent(dir, { node: 'sample-agent', mqttPort: hub.mqttPort, cameras }))
  const api = new HubApi(hub.url)
  const wanted = ROUNDS * (await samplePhotos()).length
  console.log(`waiting for ${wanted} frames …`)
  await eventually(
    `${wanted} frames`,
    async () => ((await api.frames()).length >= wanted ? true : undefined),
    300_000,
  )
  // The first query of a fresh hub is slower than any other.
  await api.search('anything')
  const browser = await launchChromium(executable)
  try {
    await shoot(browser, hub.url, {
      theme: 'light',
      viewport: WIDE,
      views: IN_DOCS.filter(view => wantedOf(VIEWS).includes(view)),
      dir: DOCS,
      name: view => `dashboard-${view}.png`,
    })
    for (const table of [VIEWS, SIGNED_IN_VIEWS]) {
      if (table === SIGNED_IN_VIEWS) await addPeople(hub.url)
      for (const theme of ['light', 'dark']) {
        for (const [width, viewport] of Object.entries({ wide: WIDE, narrow: NARROW })) {
          await shoot(browser, hub.url, {
            theme,
            viewport,
            views: wantedOf(table),
            dir: REVIEW,
            name: view => `${view}-${theme}-${width}.png`,
            table,
          })
        }
      }
    }
  } finally {
    await browser.close()
  }
  console.log(`written to ${DOCS} and ${REVIEW}`)
} finally {
  await clean()
}
