import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually, HubApi } from '../support/api.ts'
import { scratch, startAgent, startHub } from '../support/processes.ts'
import { folderOf, samplePhotos } from '../support/samples.ts'

/** Words a person would type -> the photo that must come first (or one of several that show the same). */
const QUERIES: readonly (readonly [query: string, subjects: readonly string[]])[] = [
  ['a cup of coffee', ['cup-of-espresso', 'espresso-machine', 'latte-on-table']],
  ['fireworks in the night sky', ['fireworks']],
  ['a lighthouse', ['lighthouse']],
  ['a road through the forest', ['forest-road']],
  ['a snowy road with houses', ['snowy-road']],
  ['a field of yellow flowers', ['wildflower-meadow']],
  ['a beach', ['sandy-beach-and-rock']],
  ['skyscrapers', ['skyscrapers-from-below']],
  ['boats at sunset', ['rowing-boats-at-sunset', 'fisherman-casting-net', 'jetty-and-moored-boat']],
  ['a man fishing from a boat', ['fisherman-casting-net']],
  ['boats in a harbour', ['old-harbour-with-boats']],
  ["a close-up of a cat's face", ['tabby-cat-face']],
  ['an otter', ['otter-on-rock']],
  ['a bird of prey on a branch', ['osprey-on-branch']],
  ['a seagull flying over the sea', ['gull-in-flight']],
  ['a man with a camera', ['man-with-film-camera']],
  ['a teddy bear', ['teddy-bear-on-bed']],
]

describe('a frame on its whole way', () => {
  const space = { value: undefined as unknown as Awaited<ReturnType<typeof scratch>> }
  let hub: HubApi
  const photos = { count: 0 }

  beforeAll(async () => {
    space.value = await scratch()
    const { dir, own } = space.value
    const started = await startHub(dir)
    own(started.program)
    hub = new HubApi(started.url)
    const samples = await samplePhotos()
    photos.count = samples.length
    // One camera per photo: the camera's name then says which photo a hit is.
    const cameras = await Promise.all(
      samples.map(async ({ subject }) => ({
        name: subject,
        source: `folder:${await folderOf(join(dir, 'photos', subject), [subject])}`,
        fps: 2,
        gate: { maxSilenceSeconds: 300 },
      })),
    )
    own(await startAgent(dir, { mqttPort: started.mqttPort, cameras }))
    await eventually('every photo stored', async () => {
      const seen = new Set((await hub.frames()).map(frame => frame.camera))
      return seen.size === samples.length ? true : undefined
    })
  }, 180_000)

  afterAll(() => space.value.clean())

  it.each(QUERIES)('finds %j', async (query, subjects) => {
    const [first] = await hub.search(query)
    expect(subjects).toContain(first?.camera)
    expect(first?.score).toBeGreaterThan(0.5)
  })

  it('keeps a still camera to one frame: the gate holds the repeats back', async () => {
    const frames = await hub.frames()
    expect(frames).toHaveLength(photos.count)
  })

  it('serves the thumbnail of a hit as a JPEG', async () => {
    const [first] = await hub.search('an otter')
    const response = await fetch(new URL(first!.thumbnailUrl!, hub.origin))
    const bytes = new Uint8Array(await response.arrayBuffer())
    expect([response.status, bytes[0], bytes[1]]).toEqual([200, 0xff, 0xd8])
  })
})
