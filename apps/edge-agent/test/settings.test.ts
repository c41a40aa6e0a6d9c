import { agentSettings, checkAgentSettings } from '@sightline/edge-agent/settings.js'
import { describe, expect, it } from 'vitest'

const CAMERA = { name: 'gate', source: 'folder:pictures' }

function faultsOf(document: Record<string, unknown>): string[] {
  try {
    agentSettings(document)
  } catch (error) {
    const { details } = error as { details: { faults: { path: string }[] } }
    return details.faults.map(({ path }) => path)
  }
  return []
}

describe('agent settings', () => {
  it('have a default for everything but cameras', () => {
    const settings = agentSettings({ cameras: [CAMERA] })
    expect(settings.cameras[0]).toEqual({
      ...CAMERA,
      fps: 1,
      repeat: true,
      thumbnails: 'all',
      thumbnailPx: 256,
      gate: { threshold: 2.5, maxSilenceSeconds: 60 },
      timeoutSeconds: 15,
      maxFrameBytes: 16 * 1024 * 1024,
      ffmpegPath: 'ffmpeg',
    })
    expect(settings.broker.url).toBe('mqtt://127.0.0.1:1883')
    expect(settings.uplink).toMatchObject({ window: 4, batchItems: 32, batchBytes: 1024 * 1024 })
    expect(Object.isFrozen(settings.cameras[0]!.gate)).toBe(true)
  })

  it('name every fault by its path', () => {
    const document = {
      site: 'a/b',
      camera: [],
      broker: { url: 'http://hub' },
      cameras: [{ ...CAMERA, fps: 0, gate: { treshold: 1 } }, { name: 'x' }],
    }
    expect(faultsOf(document).sort()).toEqual(
      ['site', 'camera', 'broker.url', 'cameras.0.fps', 'cameras.0.gate.treshold', 'cameras.1.source'].sort(),
    )
  })

  it('refuse two cameras of one name', () => {
    expect(faultsOf({ cameras: [CAMERA, { ...CAMERA, fps: 2 }] })).toEqual(['cameras.1.name'])
    expect(() => checkAgentSettings(agentSettings({ cameras: [CAMERA] }))).not.toThrow()
  })
})
