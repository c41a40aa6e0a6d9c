import { join } from 'node:path'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest'
import { eventually, HubApi } from './api.ts'
import { launchChromium, watchedContext } from './browser.ts'
import { PageRequests, type Reader } from './page-requests.ts'
import { type HubHandle, type Program, scratch, startAgent, startHub } from './processes.ts'
import { folderOf } from './samples.ts'

/** A hub in a process of its own, and a browser to look at it with. */
export class BrowserStage {
  browser!: Browser
  hub!: HubHandle
  #space!: Awaited<ReturnType<typeof scratch>>

  /** For all tests of the suite in which it is called. */
  static forAllTests(executable: string | undefined, hubEnv: Readonly<Record<string, string>> = {}) {
    const stage = new BrowserStage()
    beforeAll(async () => {
      stage.#space = await scratch()
      stage.hub = await startHub(stage.dir, undefined, [], { env: hubEnv, onSpawn: stage.own })
      stage.browser = await launchChromium(executable!)
    })
    afterAll(async () => {
      await stage.browser?.close()
      await stage.#space?.clean()
    })
    return stage
  }

  get dir(): string {
    return this.#space.dir
  }

  get api(): HubApi {
    return new HubApi(this.hub.url)
  }

  readonly own = <T extends Program>(program: T): T => this.#space.own(program)

  /** The same hub on the same data and ports, after it was stopped. */
  async restartHub(): Promise<void> {
    this.hub = await startHub(this.dir, this.hub, [], { onSpawn: this.own })
  }

  /** One camera for each photo, of its name: it then says which photo a hit is. Resolves when all are stored. */
  async watchPhotos(node: string, subjects: readonly string[]): Promise<Program> {
    const cameras = await Promise.all(
      subjects.map(async subject => ({
        name: subject,
        source: `folder:${await folderOf(join(this.dir, 'photos', subject), [subject])}`,
        fps: 2,
        // A still picture comes again now and then, so that new rules see it too.
        gate: { maxSilenceSeconds: 2 },
      })),
    )
    const agent = await startAgent(this.dir, {
      ...{ node, mqttPort: this.hub.mqttPort, cameras },
      onSpawn: this.own,
    })
    await eventually('every photo stored', async () => {
      const seen = new Set((await this.api.frames()).map(frame => frame.camera))
      return seen.size === subjects.length ? true : undefined
    })
    return agent
  }
}

/** What a test sees of a stage, and what the page says against it: complaints fail the test in which they come. */
export class Tab implements Reader {
  page!: Page
  readonly #stage: BrowserStage
  #context!: BrowserContext
  #requests!: PageRequests
  #complaints: string[] = []
  readonly #pardoned: ((complaint: string) => boolean)[] = []

  private constructor(stage: BrowserStage, options: BrowserContextOptions) {
    this.#stage = stage
    beforeAll(async () => {
      const { context, complaints } = await watchedContext(stage.browser, options)
      this.#context = context
      this.#complaints = complaints
    })
    afterEach(() => {
      const pardoned = this.#pardoned.splice(0)
      const complaints = this.#complaints.splice(0)
      expect(complaints.filter(text => !pardoned.some(isMeant => isMeant(text)))).toEqual([])
    })
  }

  /** A page of its own for each test of the suite in which it is called. */
  static forEachTest(stage: BrowserStage, options: BrowserContextOptions = {}): Tab {
    const tab = new Tab(stage, options)
    beforeEach(() => tab.#turn())
    afterEach(() => tab.page.close())
    return tab
  }

  /** One page for all tests of the suite in which it is called: each goes on where the one before was. */
  static forAllTests(stage: BrowserStage, options: BrowserContextOptions = {}): Tab {
    const tab = new Tab(stage, options)
    beforeAll(() => tab.#turn())
    return tab
  }

  /** Shows what lies behind the `#/` of the address, all of it. */
  async open(path: string): Promise<void> {
    await this.page.goto(`${this.#stage.hub.url}/#/${path}`)
    await this.settled()
  }

  async settled(): Promise<void> {
    await this.#requests.settled()
  }

  /** Such complaints belong to what this test does. */
  pardon(isMeant: (complaint: string) => boolean): void {
    this.#pardoned.push(isMeant)
  }

  async #turn(): Promise<void> {
    this.page = await this.#context.newPage()
    this.#requests = PageRequests.of(this.page)
  }
}
