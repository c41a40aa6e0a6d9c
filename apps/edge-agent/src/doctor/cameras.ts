import { type Clock, decodeImage, fault, isFault, messageOf, redactUrl } from '@sightline/core'
import type { Frame } from '../camera/camera.ts'
import { withDeadline } from '../camera/deadline.ts'
import { openCamera } from '../camera/open-camera.ts'
import type { AgentCamera } from '../settings.ts'
import type { RunningAgent } from './doctor.ts'
import type { Finding } from './finding.ts'

/** Takes one frame of every camera, all at once, and reports in the order of the settings. */
export async function examineCameras(cameras: readonly AgentCamera[], clock: Clock): Promise<Finding[]> {
  if (cameras.length > 0) return Promise.all(cameras.map(settings => examineCamera(settings, clock)))
  return [
    {
      group: 'Cameras',
      name: 'cameras',
      mark: 'warn',
      text: 'none is configured',
      advice: 'Name at least one under cameras (docs/configuration.md), and give the file with --config.',
    },
  ]
}

/** As their supervisors know them. */
export async function runningCameras({ cameras }: RunningAgent): Promise<Finding[]> {
  return cameras.map(({ camera, status, lastFrameAt, error }) => ({
    group: 'Cameras',
    name: camera,
    mark: status === 'running' ? 'ok' : status === 'failed' ? 'fail' : 'warn',
    text:
      error ??
      (lastFrameAt === null ? status : `${status}, last frame ${new Date(lastFrameAt).toISOString()}`),
    data: { status, lastFrameAt },
  }))
}

async function examineCamera(settings: AgentCamera, clock: Clock): Promise<Finding> {
  const source = redactUrl(settings.source)
  const base = { group: 'Cameras', name: settings.name } as const
  try {
    const startedMs = clock.monotonic()
    const frame = await firstFrame(settings, clock)
    const afterMs = Math.round(clock.monotonic() - startedMs)
    const { width, height } = await decodeImage(frame.image)
    return {
      ...base,
      mark: 'ok',
      text: `${width}x${height} after ${afterMs} ms · ${source}`,
      data: { source, width, height, afterMs },
    }
  } catch (error) {
    const known = isFault(error) ? error : undefined
    return {
      ...base,
      mark: 'fail',
      text: `${known?.code ?? 'INTERNAL'}: ${redactUrl(messageOf(error))}`,
      ...(known ? { advice: known.remedy } : {}),
      data: { source, code: known?.code ?? 'INTERNAL' },
    }
  }
}

async function firstFrame(settings: AgentCamera, clock: Clock): Promise<Frame> {
  const enough = new AbortController()
  const frames = openCamera({ settings, clock }).frames(enough.signal)[Symbol.asyncIterator]()
  try {
    const timeoutMs = settings.timeoutSeconds * 1000
    const { done, value } = await withDeadline({ clock, timeoutMs, what: 'a frame' }, () => frames.next())
    if (done) throw fault('CAMERA_FAILED', 'the source ended without a frame')
    return value
  } finally {
    enough.abort()
    // Not waited for: a camera that hangs would also hang here.
    void frames.return?.().catch(() => {})
  }
}
