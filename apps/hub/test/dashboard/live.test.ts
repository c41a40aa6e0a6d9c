import { describe, expect, test } from 'vitest'
import type { ApiClient } from '../../dashboard/src/api.ts'
import type { Frame, Incident } from '../../dashboard/src/api-types.ts'
import { type EventStream, LiveConnection, type LiveState } from '../../dashboard/src/live-connection.ts'
import { LiveStore, withFrames, withIncidents } from '../../dashboard/src/live-store.ts'

class FakeStream implements EventStream {
  readonly listeners = new Map<string, (event: { data?: unknown }) => void>()
  closed = false

  addEventListener(name: string, listener: (event: { data?: unknown }) => void): void {
    this.listeners.set(name, listener)
  }

  emit(name: string, data?: unknown): void {
    this.listeners.get(name)?.({ data })
  }

  close(): void {
    this.closed = true
  }
}

function connect() {
  const streams: FakeStream[] = []
  const states: LiveState[] = []
  const events: [string, unknown][] = []
  const timers: { callback: () => void; delayMs: number; cancelled: boolean }[] = []
  const connection = new LiveConnection({
    open: () => {
      const stream = new FakeStream()
      streams.push(stream)
      return stream
    },
    onState: state => states.push(state),
    onEvent: (name, data) => events.push([name, data]),
    schedule: (callback, delayMs) => {
      const timer = { callback, delayMs, cancelled: false }
      timers.push(timer)
      return () => {
        timer.cancelled = true
      }
    },
  })
  connection.start()
  return { connection, streams, states, events, timers }
}

describe('the live connection', () => {
  test('passes events on and ignores what is not JSON', () => {
    const { streams, states, events } = connect()
    streams[0]!.emit('open')
    streams[0]!.emit('frame', '{"id":"a"}')
    streams[0]!.emit('frame', '{broken')
    expect(states).toEqual(['connecting', 'live'])
    expect(events).toEqual([['frame', { id: 'a' }]])
  })

  test('tries again ever more slowly, and quickly after a success', () => {
    const { streams, states, timers } = connect()
    for (let round = 0; round < 6; round++) {
      streams.at(-1)!.emit('error')
      timers.at(-1)!.callback()
    }
    expect(timers.map(timer => timer.delayMs)).toEqual([1000, 2000, 4000, 8000, 15_000, 15_000])
    expect(streams.slice(0, -1).every(stream => stream.closed)).toBe(true)
    streams.at(-1)!.emit('open')
    expect(states.at(-1)).toBe('live')
    streams.at(-1)!.emit('error')
    expect(timers.at(-1)!.delayMs).toBe(1000)
  })

  test('takes a line on which nothing comes for lost, though it looks open', () => {
    const { streams, states, timers } = connect()
    streams[0]!.emit('open')
    const listening = () => timers.filter(timer => timer.delayMs === 35_000 && !timer.cancelled)
    streams[0]!.emit('alive', '{}')
    listening()[0]!.callback()
    expect([streams.length, states.at(-1)]).toEqual([1, 'live'])
    listening()[1]!.callback()
    expect([streams[0]!.closed, states.at(-1), timers.at(-1)!.delayMs]).toEqual([true, 'lost', 1000])
  })

  test('a stopped connection stays stopped; late events of an old stream are nothing to it', () => {
    const { connection, streams, timers } = connect()
    streams[0]!.emit('error')
    connection.stop()
    expect(timers[0]!.cancelled).toBe(true)
    streams[0]!.emit('error')
    expect(timers).toHaveLength(1)
  })
})

describe('what is shown of the present', () => {
  const frame = (camera: string, capturedAt: string) =>
    ({ id: `${camera}-${capturedAt}`, site: 's', node: 'n', camera, capturedAt }) as Frame
  const incident = (id: string, startedAt: string, updatedAt: string) =>
    ({ id, startedAt, updatedAt }) as Incident

  test('a frame replayed after an outage does not cover a newer one', () => {
    const shown = withFrames(new Map(), [
      frame('a', '2026-01-01T12:00:00Z'),
      frame('b', '2026-01-01T12:00:00Z'),
    ])
    const after = withFrames(shown, [frame('a', '2026-01-01T11:00:00Z'), frame('b', '2026-01-01T12:00:01Z')])
    expect([...after.values()].map(({ id }) => id)).toEqual([
      'a-2026-01-01T12:00:00Z',
      'b-2026-01-01T12:00:01Z',
    ])
    expect(shown.size).toBe(2)
  })

  test('an incident stands once, in its newest state, newest start first', () => {
    const known = [incident('x', '2026-01-01T10:00:00Z', '2026-01-01T10:05:00Z')]
    const list = withIncidents(known, [
      incident('x', '2026-01-01T10:00:00Z', '2026-01-01T10:01:00Z'),
      incident('y', '2026-01-01T11:00:00Z', '2026-01-01T11:00:00Z'),
    ])
    expect(list.map(({ id, updatedAt }) => [id, updatedAt])).toEqual([
      ['y', '2026-01-01T11:00:00Z'],
      ['x', '2026-01-01T10:05:00Z'],
    ])
  })

  test('an incident that goes on is not pushed out by newer ones', () => {
    const long = { ...incident('long', '2026-01-01T00:00:00Z', '2026-01-01T00:00:00Z'), endedAt: null }
    const short = Array.from({ length: 120 }, (_, i) => {
      const at = new Date(Date.UTC(2026, 0, 2, 0, i)).toISOString()
      return { ...incident(`short-${i}`, at, at), endedAt: at }
    })
    const list = withIncidents([long], short)
    expect([list.length, list[0]!.id, list.at(-1)!.id]).toEqual([101, 'short-119', 'long'])
  })
})

describe('the store of the present', () => {
  const frame = (camera: string, capturedAt = '2026-01-01T12:00:00Z') =>
    ({ id: `${camera}-${capturedAt}`, site: 's', node: 'n', camera, capturedAt }) as Frame
  const incident = (id: string, endedAt: string | null = null) =>
    ({ id, startedAt: '2026-01-01T12:00:00Z', updatedAt: '2026-01-01T12:00:00Z', endedAt }) as Incident

  function open() {
    const hub = { frames: [frame('a'), frame('b')], incidents: [incident('x')] }
    const streams: FakeStream[] = []
    const due: (() => void)[] = []
    const api = {
      frames: async () => hub.frames,
      incidents: async () => hub.incidents,
      nodes: async () => [],
    } as unknown as ApiClient
    const store = new LiveStore({
      api,
      open: () => {
        const stream = new FakeStream()
        streams.push(stream)
        return stream
      },
      schedule: (callback, delayMs) => {
        if (delayMs < 1000) due.push(callback)
        return () => {}
      },
    })
    /** Resolves when what has come is shown. */
    const settled = async () => {
      await new Promise(resolve => setImmediate(resolve))
      for (const callback of due.splice(0)) callback()
    }
    const cameras = () => [...store.view.frames.values()].map(({ camera }) => camera)
    store.start()
    streams[0]!.emit('open')
    return { hub, store, streams, settled, cameras }
  }

  test('lets go of what was deleted, and keeps what came meanwhile', async () => {
    const { hub, store, streams, settled, cameras } = open()
    await settled()
    expect([cameras(), store.view.incidents.length]).toEqual([['a', 'b'], 1])
    streams[0]!.emit(
      'saved-search',
      JSON.stringify({ search: { id: '1' }, frame: frame('a'), similarity: 1 }),
    )
    hub.frames = [frame('b')]
    hub.incidents = []
    streams[0]!.emit('resync', '{}')
    streams[0]!.emit('frame', JSON.stringify(frame('b', '2026-01-01T12:00:05Z')))
    streams[0]!.emit('incident', JSON.stringify(incident('y')))
    await settled()
    expect([...store.view.frames.values()].map(({ id }) => id)).toEqual(['b-2026-01-01T12:00:05Z'])
    expect(store.view.incidents.map(({ id }) => id)).toEqual(['y'])
    expect(store.view.hits).toEqual([])
  })

  test('shows nothing to the next one of what the last one saw', async () => {
    const { store, streams, settled } = open()
    await settled()
    expect(store.view.loaded).toBe(true)
    streams[0]!.emit('frame', JSON.stringify(frame('secret')))
    streams[0]!.emit('resync', '{}')
    store.stop()
    expect([store.view.loaded, store.view.frames.size, store.view.incidents]).toEqual([false, 0, []])
    // What was on its way comes too late.
    await settled()
    expect([store.view.loaded, store.view.frames.size]).toEqual([false, 0])
    // The network is back, and nobody is signed in.
    store.retryNow()
    expect(streams.length).toBe(1)
  })

  test('is as it was after the page was put away and taken out again', async () => {
    const { store, streams, settled, cameras } = open()
    await settled()
    store.suspend()
    expect([streams[0]!.closed, cameras()]).toEqual([true, ['a', 'b']])
    store.retryNow()
    expect(streams.length).toBe(2)
  })

  test('tells of incidents one by one', async () => {
    const { store, streams } = open()
    const heard: string[] = []
    const end = store.onIncident(({ id }) => heard.push(id))
    streams[0]!.emit('incident', JSON.stringify(incident('z', '2026-01-01T12:00:00Z')))
    end()
    streams[0]!.emit('incident', JSON.stringify(incident('zz')))
    expect(heard).toEqual(['z'])
  })
})
