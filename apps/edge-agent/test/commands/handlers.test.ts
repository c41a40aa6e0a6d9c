import { decodeImage, fault } from '@sightline/core'
import { type CommandParts, commandHandlers } from '@sightline/edge-agent/commands/handlers.js'
import { agentSettings } from '@sightline/edge-agent/settings.js'
import { describe, expect, it } from 'vitest'

/** Stripes of one pixel, black and white. */
const pixels = Uint8Array.from({ length: 64 * 48 * 3 }, (_, i) => (Math.floor(i / 3) % 2) * 255)
const stripes = { data: pixels, width: 64, height: 48 }

function snapshot(document: Record<string, unknown>, camera = 'gate') {
  const cameras = [{ name: 'gate', source: 'folder:a', ...(document.camera as object) }]
  const { camera: _, ...rest } = document
  const lives = {
    settings: { ...agentSettings({ cameras, ...rest }), node: 'dock' },
    agent: {
      cameras: {
        nextFrame: async (name: string) => {
          if (name !== 'gate') throw fault('CAMERA_UNKNOWN', name)
          return { camera: name, capturedAt: 1, image: stripes }
        },
      },
    },
  }
  const { run } = commandHandlers({ lives } as unknown as CommandParts).snapshot
  const context = { signal: new AbortController().signal } as Parameters<typeof run>[1]
  return run({ camera }, context) as Promise<{ jpeg: string }>
}

async function contrastOf({ jpeg }: { jpeg: string }): Promise<number> {
  const { data } = await decodeImage(Buffer.from(jpeg, 'base64'))
  return data.reduce((a, b) => Math.max(a, b), 0) - data.reduce((a, b) => Math.min(a, b), 255)
}

describe('a snapshot shows', () => {
  it('the whole picture where thumbnails do', async () => {
    expect(await contrastOf(await snapshot({}))).toBeGreaterThan(150)
    expect(await contrastOf(await snapshot({ thumbnails: 'fired' }))).toBeGreaterThan(150)
  })

  it('a blurred one where they are blurred, by the camera or the device', async () => {
    expect(await contrastOf(await snapshot({ thumbnailDetail: 'blurred' }))).toBeLessThan(60)
    expect(await contrastOf(await snapshot({ camera: { thumbnailDetail: 'blurred' } }))).toBeLessThan(60)
  })

  it('nothing where there are none', async () => {
    for (const document of [{ thumbnails: 'none' }, { camera: { thumbnails: 'none' } }])
      await expect(snapshot(document)).rejects.toMatchObject({ code: 'PICTURE_WITHHELD' })
  })

  it('no camera that is not there', async () => {
    await expect(snapshot({}, 'yard')).rejects.toMatchObject({ code: 'CAMERA_UNKNOWN' })
  })
})
