import { describe, expect, test } from 'vitest'
import type { FleetNode, Frame, NodeCamera } from '../../dashboard/src/api-types.ts'
import { inTrouble, tilesOf } from '../../dashboard/src/live-tiles.ts'

const NOW = Date.parse('2026-03-10T12:00:00Z')
const iso = (agoSeconds: number) => new Date(NOW - agoSeconds * 1000).toISOString()

function tile(
  camera: Partial<NodeCamera>,
  { node = {}, frame }: { node?: object; frame?: Partial<Frame> } = {},
) {
  const status = { camera: 'yard', status: 'running', lastFrameAt: null, ...camera }
  const device = { site: 's', node: 'n', online: true, cameras: [status], ...node } as unknown as FleetNode
  const frames = new Map<string, Frame>()
  if (frame !== undefined) {
    const place = { site: 's', node: 'n', camera: 'yard', historical: false }
    frames.set('s/n/yard', { ...place, receivedAt: frame.capturedAt, ...frame } as Frame)
  }
  const [only] = tilesOf({ frames, nodes: new Map([['s/n', device]]) }, NOW)
  return only!
}

describe('a camera on the wall', () => {
  test('is well while it gives pictures, though a still scene stores none', () => {
    const { trouble, lastPictureAt } = tile({ lastFrameAt: iso(70) }, { frame: { capturedAt: iso(600) } })
    expect(trouble).toBeUndefined()
    expect(lastPictureAt).toBe(NOW - 70_000)
  })

  test('that hangs says for how long, though its device is connected', () => {
    const frame = { capturedAt: iso(290) }
    const { trouble } = tile({ lastFrameAt: iso(280), framesPerSecond: 0 }, { frame })
    expect(trouble).toMatchObject({ kind: 'silent', text: 'No picture for 4 min' })
  })

  test('that is slow is waited for', () => {
    expect(tile({ lastFrameAt: iso(600), framesPerSecond: 1 / 300 }).trouble).toBeUndefined()
    expect(tile({ lastFrameAt: iso(1000), framesPerSecond: 1 / 300 }).trouble?.kind).toBe('silent')
  })

  test('that failed says why, and for how long', () => {
    const error = 'CAMERA_FAILED: no answer'
    expect(tile({ status: 'failed', error, lastFrameAt: iso(30) }).trouble).toEqual({
      ...{ kind: 'failed', text: 'No picture for 30 s', detail: error },
    })
    expect(tile({ status: 'failed', error }).trouble?.text).toBe('No picture')
  })

  test('of a device that is away has no pace', () => {
    const measured = { lastFrameAt: iso(5), framesPerSecond: 2, decisionP95Ms: 41 }
    expect(tile(measured)).toMatchObject({ framesPerSecond: 2, decisionMs: 41 })
    const { trouble, framesPerSecond } = tile(measured, { node: { online: false } })
    expect(trouble?.kind).toBe('offline')
    expect(framesPerSecond).toBeUndefined()
  })

  test('that its device has no more says so, and is nothing to see to', () => {
    const old = { capturedAt: iso(400) }
    const other = { cameras: [{ camera: 'gate', status: 'running', lastFrameAt: iso(1) }], agent: '1.0.0' }
    const removed = tile({}, { node: other, frame: old })
    expect([removed.camera, removed.trouble?.kind, inTrouble(removed)]).toEqual(['yard', 'gone', false])
    expect(inTrouble(tile({ status: 'failed' }))).toBe(true)
    // A new one sends frames before its device speaks of it.
    expect(tile({}, { node: other, frame: { capturedAt: iso(20) } }).trouble).toBeUndefined()
    // Frames that were brought come of no agent.
    expect(tile({}, { node: { cameras: [], agent: null }, frame: old }).trouble).toBeUndefined()
    const starting = { phase: 'opening-model' }
    expect(tile({}, { node: { cameras: [], agent: '1', starting }, frame: old }).trouble?.kind).toBe(
      'starting',
    )
  })

  test('is starting while its device is', () => {
    const starting = { phase: 'building-engine', detail: '3 of 9' }
    expect(tile({ lastFrameAt: null }, { node: { starting } }).trouble).toMatchObject({
      ...{ kind: 'starting', detail: '3 of 9' },
    })
  })

  test('whose device has a wrong clock is judged by the hub', () => {
    // Five minutes behind: captured 300 s ago by its clock, received just now.
    const frame = { capturedAt: iso(302), receivedAt: iso(2) }
    const { trouble, lastPictureAt } = tile({ lastFrameAt: iso(301) }, { frame })
    expect(trouble).toBeUndefined()
    expect(lastPictureAt).toBe(NOW - 1000)
    const replayed = { ...frame, historical: true }
    expect(tile({ lastFrameAt: iso(301) }, { frame: replayed }).trouble?.kind).toBe('silent')
  })
})

test('cameras come once, in a lasting order, those without a picture last', () => {
  const camera = (name: string) => ({ camera: name, status: 'running', lastFrameAt: null })
  const node = { site: 's', node: 'n', online: true, cameras: ['c', 'a'].map(camera) } as unknown as FleetNode
  const frame = (name: string) =>
    ({ site: 's', node: 'n', camera: name, capturedAt: iso(1), receivedAt: iso(1) }) as Frame
  const frames = new Map(['d', 'c', 'b'].map(name => [`s/n/${name}`, frame(name)]))
  const tiles = tilesOf({ frames, nodes: new Map([['s/n', node]]) }, NOW)
  expect(tiles.map(({ camera: name }) => name)).toEqual(['b', 'c', 'd', 'a'])
})
