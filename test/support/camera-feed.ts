import type { Page } from 'playwright-core'

export interface CameraFeed {
  readonly cameras: number
  /** Frames a second of all cameras together; 0: the feed stands still. */
  readonly framesPerSecond: number
}

/**
 * Puts many cameras before a page: what its hub lists, and frames over the live line. Only the page is real, so that
 * what is measured is the page.
 */
export async function feedCameras(page: Page, { cameras, framesPerSecond }: CameraFeed): Promise<void> {
  const names = Array.from({ length: cameras }, (_, i) => `camera-${String(i + 1).padStart(3, '0')}`)
  const frame = (camera: string, i: number) => ({
    id: `feed~${camera}~${i}`,
    ...{ site: 'feed', node: 'crowd', camera, historical: false },
    ...{ capturedAt: new Date().toISOString(), receivedAt: new Date().toISOString() },
    verdicts: [
      { rule: 'cat', score: (i % 10) / 10, similarity: 0.2, fired: i % 10 === 9 },
      { rule: 'boat', score: (i % 7) / 7, similarity: 0.2, fired: false },
    ],
    thumbnailUrl: `/api/v1/frames/feed-${i % 16}/thumbnail`,
  })
  const node = {
    ...{ site: 'feed', node: 'crowd', online: true, health: { status: 'healthy', reasons: [] } },
    ...{ lastSeenAt: new Date().toISOString(), lastDataAt: null, agent: null, provider: null },
    ...{ fingerprint: null, rulesVersion: null, stored: null, stats: null },
    cameras: names.map(camera => ({
      ...{ camera, status: 'running', lastFrameAt: new Date().toISOString() },
      ...{ framesPerSecond: 1, decisionP95Ms: 40 },
    })),
  }
  const json = (body: unknown) => ({ contentType: 'application/json', body: JSON.stringify(body) })
  await page.route('**/api/v1/nodes', route => route.fulfill(json({ nodes: [node] })))
  await page.route('**/api/v1/frames?*', route => route.fulfill(json({ frames: names.map(frame) })))
  await page.route('**/api/v1/frames/feed-*/thumbnail', route =>
    route.fulfill({
      contentType: 'image/svg+xml',
      headers: { 'cache-control': 'max-age=3600' },
      body: '<svg xmlns="http://www.w3.org/2000/svg" width="256" height="192"><rect width="256" height="192" fill="#47a"/></svg>',
    }),
  )
  const first = JSON.stringify(names.map(frame))
  await page.addInitScript(`(() => {
    const frames = ${first}
    globalThis.EventSource = class {
      listeners = {}
      constructor() {
        setTimeout(() => this.listeners.open?.({}), 0)
        let sent = 0
        const started = performance.now()
        this.timer = setInterval(() => {
          const due = Math.floor((performance.now() - started) / 1000 * ${framesPerSecond})
          for (; sent < due; sent++) {
            const frame = frames[sent % frames.length]
            const at = new Date().toISOString()
            const data = JSON.stringify({ ...frame, id: frame.id + '-' + sent, capturedAt: at, receivedAt: at })
            this.listeners.frame?.({ data })
          }
          globalThis.framesFed = sent
        }, 20)
      }
      addEventListener(name, listener) { this.listeners[name] = listener }
      close() { clearInterval(this.timer) }
    }
  })()`)
}
