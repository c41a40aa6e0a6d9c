import { publicActions, retriesOf } from '@sightline/edge-agent/actions/action-settings.js'
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
      thumbnailDetail: 'full',
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

  it('name groups and actions', () => {
    const secret = `whsec_${'A'.repeat(32)}`
    const settings = agentSettings({
      rules: { group: 'yard' },
      actionsExec: { allow: ['/usr/local/bin/siren'] },
      actions: [
        { type: 'webhook', name: 'desk', url: 'https://desk.example/hooks/T0K3N', secret },
        { type: 'exec', name: 'siren', command: '/usr/local/bin/siren', phases: ['new'] },
      ],
    })
    expect(settings.rules.group).toBe('yard')
    expect(settings.actions).toMatchObject([
      { phases: ['new', 'end'], timeoutSeconds: 15, thumbnail: false },
      { phases: ['new'] },
    ])
    expect(settings.actions.map(retriesOf)).toEqual([10, 0])
    const shown = JSON.stringify(publicActions(settings.actions))
    expect(shown).toContain('https://desk.example/…')
    for (const hidden of [secret, 'T0K3N']) expect(shown).not.toContain(hidden)
    expect(agentSettings({})).toMatchObject({
      rules: { group: 'all' },
      actions: [],
      actionsExec: { allow: [] },
    })
  })

  it('start no program that is not allowed, and take no webhook that cannot work', () => {
    const url = 'https://desk.example/'
    const faults = faultsOf({
      actions: [
        { type: 'exec', name: 'siren', command: '/bin/rm', args: ['-rf', '/'] },
        { type: 'webhook', name: 'siren', url, secret: `whsec_${'A'.repeat(32)}`, secretFile: '/run/secret' },
        { type: 'webhook', name: 'desk', url: 'https://me:secret@desk.example/' },
      ],
    })
    expect(faults).toEqual(['actions.0.command', 'actions.1.name', 'actions.1.secretFile', 'actions.2.url'])
    expect(
      faultsOf({
        actionsExec: { allow: ['siren.sh'] },
        actions: [
          { type: 'webhook', name: 'desk', url, secret: 'short' },
          { type: 'mail', name: 'M' },
        ],
      }),
    ).toEqual(['actions.0.secret', 'actions.1.name', 'actions.1.type', 'actionsExec.allow.0'])
    expect(faultsOf({ actions: [{ type: 'webhook', name: 'desk', args: [] }] })).toEqual([
      'actions.0.url',
      'actions.0.args',
    ])
  })
})
