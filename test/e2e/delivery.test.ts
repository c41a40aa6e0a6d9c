import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually, type FrameView, HubApi } from '../support/api.ts'
import { scratch, startAgent, startHub } from '../support/processes.ts'
import { folderOf, samplePhotos } from '../support/samples.ts'

let space: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  space = await scratch()
})
afterEach(() => space.clean())

/** All sample photos in a quick loop: every frame differs from the one before, so the gate passes all. */
async function busyCamera(): Promise<Record<string, unknown>> {
  const subjects = (await samplePhotos()).map(photo => photo.subject)
  return { name: 'busy', source: `folder:${await folderOf(join(space.dir, 'busy'), subjects)}`, fps: 10 }
}

/** seq of each frame of a node; the id is `site~node~session~seq`. */
function seqs(frames: readonly FrameView[]): number[] {
  return frames.map(frame => Number(frame.id.split('~')[3])).sort((a, b) => a - b)
}

/** Frames and incident events share one sequence: a frame lost would be a seq that neither has. */
async function delivered(api: HubApi): Promise<FrameView[]> {
  const frames = await api.frames()
  expect(new Set(frames.map(frame => frame.id)).size).toBe(frames.length)
  return frames
}

async function atLeast(api: HubApi, count: number): Promise<FrameView[]> {
  return await eventually(`${count} frames`, async () => {
    const frames = await api.frames()
    return frames.length >= count ? frames : undefined
  })
}

describe('nothing acknowledged is lost', () => {
  it('when the hub is killed in mid-stream and restarted', async () => {
    const first = await startHub(space.dir)
    space.own(first.program)
    const agent = space.own(
      await startAgent(space.dir, { mqttPort: first.mqttPort, cameras: [await busyCamera()] }),
    )
    const before = await atLeast(new HubApi(first.url), 20)
    await first.program.kill()

    const second = await startHub(space.dir, first)
    space.own(second.program)
    const api = new HubApi(second.url)
    const after = await atLeast(api, before.length + 30)
    expect(after.map(frame => frame.id)).toEqual(expect.arrayContaining(before.map(frame => frame.id)))
    // Not after the stop: live frames come first, and what a stop leaves in the outbox is for the next start.
    await eventually('an unbroken sequence', async () => {
      const frames = await delivered(api)
      return (await unbroken(api, frames)) ? true : undefined
    })
    await agent.stop()
  })

  it('when the agent is killed in mid-stream and restarted', async () => {
    const hub = await startHub(space.dir)
    space.own(hub.program)
    const api = new HubApi(hub.url)
    const cameras = [await busyCamera()]
    const first = space.own(await startAgent(space.dir, { mqttPort: hub.mqttPort, cameras }))
    const before = await atLeast(api, 20)
    await first.kill()
    const second = space.own(await startAgent(space.dir, { mqttPort: hub.mqttPort, cameras }))
    const after = await atLeast(api, before.length + 30)
    // Same outbox, same session: the numbers go on where they were.
    expect(new Set(after.map(frame => frame.id.split('~')[2])).size).toBe(1)
    await eventually('an unbroken sequence', async () => {
      const frames = await delivered(api)
      return (await unbroken(api, frames)) ? true : undefined
    })
    await second.stop()
  })

  it('when there is no hub at the start: the agent buffers, then delivers', async () => {
    const probe = await startHub(space.dir)
    await probe.program.stop()
    const agent = space.own(
      await startAgent(space.dir, { mqttPort: probe.mqttPort, cameras: [await busyCamera()] }),
    )
    await new Promise(resolve => setTimeout(resolve, 2_000))
    expect(agent.running).toBe(true)

    const hub = await startHub(space.dir, probe)
    space.own(hub.program)
    const api = new HubApi(hub.url)
    const frames = await atLeast(api, 30)
    expect(Math.min(...seqs(frames))).toBe(1)
    expect(frames.some(frame => frame.historical)).toBe(true)
  })
})

/** True when frames and events together cover 1..max without a hole. */
async function unbroken(api: HubApi, frames: readonly FrameView[]): Promise<boolean> {
  const nodes = await api.get<{ nodes: { stored: { upTo: number; ranges: unknown[] } }[] }>('/nodes')
  const stored = nodes.nodes[0]?.stored
  const top = Math.max(...seqs(frames))
  return stored !== undefined && stored.ranges.length === 0 && stored.upTo >= top
}
