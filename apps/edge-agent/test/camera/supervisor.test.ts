import { exponentialBackoff, fault } from '@sightline/core'
import type { Camera, Frame } from '@sightline/edge-agent/camera/camera.js'
import { CameraSupervisor } from '@sightline/edge-agent/camera/supervisor.js'
import { expect, it } from 'vitest'
import { FakeClock, settled } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'

/** Plays its lives in turn: so many frames, then the end given. */
function scripted(
  lives: readonly { frames: number; dies: boolean }[],
  clock: FakeClock,
  lastsMs = 0,
): Camera {
  let life = 0
  return {
    name: 'gate',
    source: 'scripted',
    pushes: false,
    async *frames(): AsyncIterable<Frame> {
      const { frames, dies } = lives[Math.min(life++, lives.length - 1)]!
      for (let i = 0; i < frames; i++) {
        yield { camera: 'gate', capturedAt: clock.now(), image: new Uint8Array() }
        if (lastsMs > 0) await clock.advance(lastsMs)
      }
      if (dies) throw fault('CAMERA_FAILED', 'rtsp://user:secret@host went away')
    },
  }
}

function supervise(camera: Camera, clock: FakeClock) {
  return new CameraSupervisor({
    camera,
    backoff: exponentialBackoff(1000, 60_000, () => 1),
    clock,
    log: quiet,
  })
}

it('opens a dead camera again, ever more seldom, and hides credentials', async () => {
  const clock = new FakeClock()
  const supervisor = supervise(scripted([{ frames: 0, dies: true }], clock), clock)
  const stop = new AbortController()
  const end = supervisor.frames(stop.signal)[Symbol.asyncIterator]().next()
  await settled()
  for (const delayMs of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
    expect(clock.sleeping).toEqual([delayMs])
    expect(supervisor.status()).toMatchObject({ status: 'failed', lastFrameAt: null })
    expect(supervisor.status().error).toMatch(/^CAMERA_FAILED: rtsp:\/\/…@host/)
    await clock.advance(delayMs)
  }
  stop.abort()
  expect((await end).done).toBe(true)
})

it('begins with the shortest delay again after a long life', async () => {
  const clock = new FakeClock()
  const lives = [
    { frames: 0, dies: true },
    { frames: 0, dies: true },
    { frames: 3, dies: true },
  ]
  const supervisor = supervise(scripted(lives, clock, 40_000), clock)
  const frames = supervisor.frames(new AbortController().signal)[Symbol.asyncIterator]()
  const first = frames.next()
  await settled()
  await clock.advance(1000)
  await clock.advance(2000)
  await first
  expect(supervisor.status()).toEqual({ camera: 'gate', status: 'running', lastFrameAt: expect.any(Number) })
  await frames.next()
  await frames.next()
  void frames.next()
  for (let turn = 0; turn < 5; turn++) await settled()
  expect(clock.sleeping).toEqual([1000])
})

it('ends when a source ends that does not repeat, and says so', async () => {
  const clock = new FakeClock()
  const supervisor = supervise(scripted([{ frames: 1, dies: false }], clock), clock)
  const frames = supervisor.frames(new AbortController().signal)[Symbol.asyncIterator]()
  await frames.next()
  expect((await frames.next()).done).toBe(true)
  expect(supervisor.status()).toMatchObject({
    status: 'failed',
    error: expect.stringMatching(/repeat is off/),
  })
})
