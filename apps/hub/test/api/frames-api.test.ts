import { describe, expect, it } from 'vitest'
import { frameIdOf } from '../moderation/hub.ts'
import { PhotoHub } from './photo-hub.ts'

const hub = PhotoHub.forAllTests()

describe('frames, incidents, devices', () => {
  it('lists and shows frames', async () => {
    const list = await hub.call('/api/v1/frames?camera=yard')
    expect(list.body.frames.map((frame: { id: string }) => frame.id)).toEqual([frameIdOf(3), frameIdOf(1)])
    const one = await hub.call(`/api/v1/frames/${frameIdOf(1)}`)
    expect(one.body).toEqual(list.body.frames[1])
    expect((await hub.call('/api/v1/frames/none')).body.error.code).toBe('API_NOT_FOUND')
  })

  it('lists the newest frame of each camera, and those on which a rule fired', async () => {
    const ids = async (query: string) =>
      (await hub.call(`/api/v1/frames?${query}`)).body.frames.map((frame: { id: string }) => frame.id)
    expect(await ids('each=camera')).toEqual([frameIdOf(4), frameIdOf(3)])
    expect(await ids('each=camera&limit=1')).toEqual([frameIdOf(4)])
    expect(await ids('each=camera&camera=yard')).toEqual([frameIdOf(3)])
    expect(await ids('rule=animal&fired=true')).toEqual([frameIdOf(1)])
    expect(await ids('fired=false&limit=2')).toEqual([frameIdOf(4), frameIdOf(3)])
  })

  it('serves a thumbnail and says when there is none', async () => {
    const response = await fetch(`${hub.url}/api/v1/frames/${frameIdOf(1)}/thumbnail`)
    expect(response.headers.get('content-type')).toBe('image/jpeg')
    expect(response.headers.get('cache-control')).toBe('private, max-age=3600')
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(1000)
    expect((await hub.call(`/api/v1/frames/${frameIdOf(4)}/thumbnail`)).status).toBe(404)
  })

  it('lists incidents', async () => {
    const { body } = await hub.call('/api/v1/events?open=true&rule=animal')
    expect(body.events).toEqual([
      expect.objectContaining({
        id: '01JD0000000000000000000001',
        endedAt: null,
        bestFrameId: frameIdOf(1),
        severity: 'low',
      }),
    ])
    expect((await hub.call('/api/v1/events?open=false')).body.events).toEqual([])
  })

  it('lists devices with what is stored of them', async () => {
    const { body } = await hub.call('/api/v1/nodes')
    expect(body.nodes).toEqual([
      expect.objectContaining({ node: 'n1', online: true, agent: '0.1.0', stored: { upTo: 5, ranges: [] } }),
    ])
    expect(body.nodes[0].lastDataAt).toMatch(/^\d{4}-/)
  })
})

/** Last: nothing is left afterwards. */
describe('deleting', () => {
  const erase = (query: string) => hub.call(`/api/v1/frames?${query}`, { method: 'DELETE' })

  it('of a camera takes its frames, pictures and incidents, and says how much', async () => {
    expect((await erase('')).status).toBe(400)
    expect((await erase('colour=red')).status).toBe(400)
    const { status, body } = await erase('camera=lobby')
    expect(status).toBe(200)
    expect(body).toMatchObject({ frames: 2, thumbnails: 1, incidents: 0, nodes: 0 })
    expect(body.bytes).toBeGreaterThan(2000)
    const { hits } = (await hub.call('/api/v1/search?text=coffee')).body
    expect(hits.map((hit: { camera: string }) => hit.camera)).toEqual(['yard', 'yard'])
    expect((await hub.call(`/api/v1/frames/${frameIdOf(2)}/thumbnail`)).status).toBe(404)
  })

  it('of a device leaves nothing of it, whatever it sends again', async () => {
    const { body } = await erase('site=default&node=n1')
    expect(body).toMatchObject({ frames: 2, incidents: 1, nodes: 1 })
    expect((await hub.call('/api/v1/search?text=coffee')).body.hits).toEqual([])
    expect((await hub.call('/api/v1/events')).body.events).toEqual([])
    expect((await hub.call('/api/v1/system')).body).toMatchObject({
      counts: { frames: 0, incidents: 0, thumbnails: 0 },
      index: { vectors: 0 },
    })
  })
})
