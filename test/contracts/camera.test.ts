import { createLog, decodeImage, type ImageInput, systemClock } from '@sightline/core'
import type { CameraSettings } from '@sightline/edge-agent/camera/camera.js'
import { openCamera } from '@sightline/edge-agent/camera/open-camera.js'
import { CameraSupervisor } from '@sightline/edge-agent/camera/supervisor.js'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import {
  type CameraHarness,
  CameraWorkshop,
  FPS,
  failureOf,
  hasFfmpeg,
  settingsFor,
  take,
} from '../support/camera-workshop.ts'

let workshop: CameraWorkshop
beforeAll(async () => {
  workshop = await CameraWorkshop.open()
})
afterAll(() => workshop.close())

const IMPLEMENTATIONS: readonly [name: string, make: () => Promise<CameraHarness>, runs: boolean][] = [
  ['folder', () => workshop.folder(), true],
  ['http snapshot', () => workshop.snapshot(), true],
  ['http MJPEG with lengths', () => workshop.mjpeg({ withLength: true }), true],
  ['http MJPEG without lengths', () => workshop.mjpeg({ withLength: false }), true],
  ['ffmpeg film', () => workshop.film(), hasFfmpeg],
]

async function widthOf(image: ImageInput): Promise<number> {
  return (await decodeImage(image)).width
}

for (const [name, make, runs] of IMPLEMENTATIONS) {
  describe.skipIf(!runs)(`Camera contract: ${name}`, () => {
    let harness: CameraHarness
    const open = (change: Partial<CameraSettings> = {}) =>
      openCamera({ settings: settingsFor(harness.source, change), clock: systemClock })
    afterEach(() => harness.close())

    it('gives frames with its name, the time and a picture', async () => {
      harness = await make()
      const before = Date.now()
      const frames = await take(open().frames(new AbortController().signal), 4)
      expect(frames).toHaveLength(4)
      for (const frame of frames) {
        expect(frame.camera).toBe('gate')
        expect(frame.capturedAt).toBeGreaterThanOrEqual(before)
        expect(frame.capturedAt).toBeLessThanOrEqual(Date.now())
        expect(await widthOf(frame.image)).toBe(harness.width)
      }
    })

    it('gives no more than fps', async () => {
      harness = await make()
      const startedMs = performance.now()
      await take(open().frames(new AbortController().signal), 7)
      // Six intervals of 50 ms, less what timers and pipes may be early.
      expect(performance.now() - startedMs).toBeGreaterThan(6 * (1000 / FPS) * 0.75)
    })

    it('ends without an error when it is stopped, and opens again', async () => {
      harness = await make()
      const camera = open()
      for (let life = 0; life < 2; life++) {
        const stop = new AbortController()
        let count = 0
        for await (const _ of camera.frames(stop.signal)) if (++count === 2) stop.abort()
        expect(count).toBe(2)
      }
    })

    it('ends at once when it is stopped while it waits for a frame', async () => {
      harness = await make()
      const stop = new AbortController()
      const startedMs = performance.now()
      const frames = take(open({ fps: 0.01 }).frames(stop.signal), 2)
      const timer = setInterval(() => stop.abort(), 300)
      expect((await frames).length).toBeLessThan(2)
      clearInterval(timer)
      expect(performance.now() - startedMs).toBeLessThan(4_000)
    })

    it('fails with a code when its source dies, and works when it is back', async () => {
      harness = await make()
      const camera = open()
      const failure = failureOf(camera)
      await take(camera.frames(new AbortController().signal), 1)
      await harness.die()
      expect(await failure).toMatchObject({ code: 'CAMERA_FAILED' })
      expect(await failureOf(camera)).toMatchObject({ code: 'CAMERA_FAILED' })
      await harness.revive()
      expect(await take(camera.frames(new AbortController().signal), 2)).toHaveLength(2)
    })

    it('is brought back by its supervisor', async () => {
      harness = await make()
      const statuses: string[] = []
      const failed = deferred()
      const supervisor = new CameraSupervisor(
        {
          camera: open(),
          backoff: { delayMs: () => 5 },
          clock: systemClock,
          log: createLog({ name: 'test', level: 'silent' }),
        },
        {
          onStatus: () => {
            const { status } = supervisor.status()
            if (statuses.at(-1) !== status) statuses.push(status)
            if (status === 'failed') failed.resolve()
          },
        },
      )
      expect(supervisor.status()).toEqual({ camera: 'gate', status: 'starting', lastFrameAt: null })
      const stop = new AbortController()
      let count = 0
      for await (const frame of supervisor.frames(stop.signal)) {
        expect(supervisor.status().lastFrameAt).toBeGreaterThanOrEqual(frame.capturedAt)
        if (++count === 2) {
          await harness.die()
          void failed.promise.then(() => harness.revive())
        }
        if (statuses.includes('failed')) stop.abort()
      }
      expect(statuses).toEqual(['running', 'failed', 'running'])
      expect(supervisor.status().error).toBeUndefined()
    })
  })
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}
