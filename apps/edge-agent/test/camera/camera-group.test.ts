import { type CameraStatus, fault } from '@sightline/core'
import type { Frame } from '@sightline/edge-agent/camera/camera.js'
import { CameraGroup } from '@sightline/edge-agent/camera/camera-group.js'
import { type AgentCamera, agentSettings, effectiveCameras } from '@sightline/edge-agent/settings.js'
import { beforeEach, describe, expect, it } from 'vitest'
import { settled } from '../support/fake-clock.ts'
import { quiet } from '../support/quiet.ts'

let events: string[]
let frames: Map<string, (frame: Frame) => void>
beforeEach(() => {
  events = []
  frames = new Map()
})

const camerasOf = (...documents: Record<string, unknown>[]): AgentCamera[] =>
  agentSettings({ cameras: documents }).cameras as AgentCamera[]
const [gate, yard] = camerasOf({ name: 'gate', source: 'folder:a' }, { name: 'yard', source: 'folder:b' })

function groupOf(cameras: readonly AgentCamera[]): CameraGroup {
  return new CameraGroup({
    cameras,
    open: settings => {
      const { name, source, fps } = settings
      if (source.startsWith('bad')) throw fault('CAMERA_BAD_SOURCE', source)
      return {
        status: (): CameraStatus => ({ camera: name, status: 'running', lastFrameAt: null }),
        run: async (signal, tap) => {
          events.push(`+${name}@${fps}`)
          const given = (async function* () {
            while (!signal.aborted) {
              const frame = await new Promise<Frame | undefined>(resolve => {
                frames.set(name, resolve)
                signal.addEventListener('abort', () => resolve(undefined), { once: true })
              })
              if (frame !== undefined) yield frame
            }
          })()
          for await (const _frame of tap.through(given)) events.push(`frame of ${name}`)
          events.push(`-${name}`)
        },
      }
    },
    onChange: async names => void events.push([...names].join()),
    log: quiet,
  })
}

describe('cameras side by side', () => {
  it('come, go and change while the others run on', async () => {
    const group = groupOf([gate!, yard!])
    await group.start()
    await group.apply([gate!, { ...yard!, fps: 5 }, { ...gate!, name: 'new' }])
    expect(events).toEqual(['+gate@1', '+yard@1', '-yard', 'gate,yard,new', '+yard@5', '+new@1'])
    expect(group.statuses().map(({ camera }) => camera)).toEqual(['gate', 'yard', 'new'])
    events.length = 0
    await group.apply([gate!])
    expect(events.sort()).toEqual(['-new', '-yard', 'gate'])
    events.length = 0
    await group.restart('gate')
    expect(events).toEqual(['-gate', 'gate', '+gate@1'])
    await expect(group.restart('yard')).rejects.toMatchObject({ code: 'CAMERA_UNKNOWN' })
    await group.stop()
    await group.stop()
    expect(events.at(-1)).toBe('-gate')
  })

  it('stay as they are when one of the new ones cannot be', async () => {
    const group = groupOf([gate!])
    await group.start()
    const bad = { ...yard!, source: 'bad:' }
    await expect(group.apply([{ ...gate!, fps: 9 }, bad])).rejects.toMatchObject({
      code: 'CAMERA_BAD_SOURCE',
    })
    expect(events).toEqual(['+gate@1'])
    await group.stop()
  })

  it('give a frame to whoever asks, while the pipeline gets it too', async () => {
    const group = groupOf([gate!])
    await group.start()
    const asked = new AbortController()
    const next = group.nextFrame('gate', asked.signal)
    await settled()
    const frame: Frame = { camera: 'gate', capturedAt: 7, image: new Uint8Array(1) }
    frames.get('gate')!(frame)
    expect(await next).toBe(frame)
    await settled()
    expect(events.at(-1)).toBe('frame of gate')
    const late = group.nextFrame('gate', asked.signal)
    asked.abort(fault('COMMAND_TIMEOUT', 'late'))
    await expect(late).rejects.toMatchObject({ code: 'COMMAND_TIMEOUT' })
    expect(() => group.nextFrame('none', asked.signal)).toThrow(/there are: gate/)
    await group.stop()
  })
})

it.each([
  ['all', 'fired', 'fired'],
  ['fired', 'all', 'fired'],
  ['none', 'all', 'none'],
  ['fired', 'none', 'none'],
])('thumbnails: %s for all and %s for one camera is %s', (thumbnails, own, expected) => {
  const cameras = [{ name: 'gate', source: 'folder:a', thumbnails: own }]
  expect(effectiveCameras(agentSettings({ thumbnails, cameras }))[0]!.thumbnails).toBe(expected)
})

it.each([
  ['full', 'blurred', 'blurred'],
  ['blurred', 'full', 'blurred'],
  ['full', 'full', 'full'],
])('thumbnail detail: %s for all and %s for one camera is %s', (thumbnailDetail, own, expected) => {
  const cameras = [{ name: 'gate', source: 'folder:a', thumbnailDetail: own }]
  expect(effectiveCameras(agentSettings({ thumbnailDetail, cameras }))[0]!.thumbnailDetail).toBe(expected)
})
