import type { Frame } from '@sightline/edge-agent/camera/camera.js'
import { CameraPace } from '@sightline/edge-agent/camera/camera-pace.js'
import { beforeEach, expect, it } from 'vitest'
import { FakeClock } from '../support/fake-clock.ts'

let clock: FakeClock
let pace: CameraPace
beforeEach(() => {
  clock = new FakeClock()
  pace = new CameraPace({ clock })
})

/** So many frames, so far apart. */
async function film(count: number, apartMs: number): Promise<void> {
  async function* frames(): AsyncIterable<Frame> {
    for (let i = 0; i < count; i++) {
      yield { camera: 'gate', capturedAt: clock.now(), image: new Uint8Array() }
      await clock.advance(apartMs)
    }
  }
  for await (const _ of pace.through(frames()));
}

it('says nothing before there is something to say', async () => {
  expect(pace.reading()).toEqual({})
  await film(1, 500)
  expect(pace.reading()).toEqual({})
})

it('knows the rate of a camera, fast or slow', async () => {
  await film(20, 500)
  expect(pace.reading().framesPerSecond).toBeCloseTo(2)
  await film(2000, 33)
  expect(pace.reading().framesPerSecond).toBeCloseTo(1000 / 33, 0)
  await clock.advance(120_000)
  await film(4, 20_000)
  expect(pace.reading().framesPerSecond).toBeCloseTo(0.05)
  await clock.advance(400_000)
  await film(3, 300_000)
  expect(pace.reading().framesPerSecond).toBeCloseTo(1 / 300)
})

it('says 0 of a camera that hangs', async () => {
  await film(10, 1000)
  await clock.advance(30_000)
  expect(pace.reading().framesPerSecond).toBeCloseTo(1)
  await clock.advance(40_000)
  expect(pace.reading().framesPerSecond).toBe(0)
})

it('tells how soon frames are judged', () => {
  for (let i = 1; i <= 100; i++) pace.decided(i)
  expect(pace.reading()).toEqual({ decisionP95Ms: 95 })
})
