import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually, HubApi } from '../support/api.ts'
import { scratch, startAgent, startHub } from '../support/processes.ts'
import { folderOf } from '../support/samples.ts'

let space: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  space = await scratch()
})
afterEach(() => space.clean())

/** Frames without a cat, then one appearance of two frames, then none again. */
const VISIT = [
  'cup-of-espresso',
  'skyscrapers-from-below',
  'tabby-cat-face',
  'calico-cat-in-alley',
  'museum-hall',
  'lighthouse',
  'hanging-light-bulbs',
]

it('fires a rule once per appearance, and lets go when it is over', async () => {
  const hub = await startHub(space.dir)
  space.own(hub.program)
  const api = new HubApi(hub.url)
  const source = `folder:${await folderOf(join(space.dir, 'visit'), VISIT)}`
  const agent = space.own(
    await startAgent(space.dir, { mqttPort: hub.mqttPort, cameras: [{ name: 'yard', source, fps: 8 }] }),
  )
  const rounds = await eventually('three ended visits', async () => {
    const all = (await api.incidents()).filter(incident => incident.rule === 'cat-in-view')
    return all.filter(incident => incident.endedAt !== null).length >= 3 ? all : undefined
  })
  await agent.stop()
  for (const incident of rounds.filter(each => each.endedAt !== null)) expect(incident.frames).toBe(2)
  const frames = await api.frames()
  const fired = frames.filter(frame =>
    frame.verdicts.some(verdict => verdict.rule === 'cat-in-view' && verdict.fired),
  )
  const incidents = (await api.incidents()).filter(incident => incident.rule === 'cat-in-view')
  // Two firing frames make one incident.
  expect(incidents.length).toBe(Math.ceil(fired.length / 2))
  // The agent told its terminal about each of them.
  expect(agent.lines.filter(line => /cat in view/i.test(line)).length).toBeGreaterThanOrEqual(
    incidents.length,
  )
})
