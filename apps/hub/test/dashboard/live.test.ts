import { describe, expect, test } from 'vitest'
import type { Frame, Incident } from '../../dashboard/src/api-types.ts'
import { type EventStream, LiveConnection, type LiveState } from '../../dashboard/src/live-connection.ts'
import { withFrames, withIncidents } from '../../dashboard/src/live-store.ts'

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
})
