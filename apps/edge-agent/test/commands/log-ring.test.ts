import { createLog, setLogLevel } from '@sightline/core'
import { LogRing } from '@sightline/edge-agent/commands/log-ring.js'
import { expect, it } from 'vitest'

it('keeps the newest lines, within bounds and without credentials', () => {
  const passed: string[] = []
  const ring = new LogRing({ write: line => passed.push(line) })
  for (let i = 0; i < 20_000; i++) ring.write(`{"n":${i},"url":"rtsp://me:canary@h/${'x'.repeat(90)}"}\n`)
  expect(passed).toHaveLength(20_000)
  const lines = ring.tail(3, 100_000)
  expect(lines.map(line => JSON.parse(line).n)).toEqual([19_997, 19_998, 19_999])
  expect(lines.join()).not.toContain('canary')
  const all = ring.tail(100_000, 10_000_000)
  expect(all.join('').length).toBeLessThan(1024 * 1024)
  expect(JSON.parse(all.at(-1)!).n).toBe(19_999)
  const bounded = ring.tail(100_000, 5000)
  expect(Buffer.byteLength(JSON.stringify(bounded))).toBeLessThanOrEqual(5000)
  expect(bounded.length).toBeGreaterThan(20)
})

it('hears of a level that is changed for a log and all its children', () => {
  const lines: string[] = []
  const log = createLog({ name: 'a', level: 'info', destination: { write: line => void lines.push(line) } })
  const child = log.child({ camera: 'gate' })
  const grandchild = child.child({ x: 1 })
  grandchild.debug('unheard')
  setLogLevel(log, 'debug')
  for (const each of [log, child, grandchild]) each.debug('heard')
  setLogLevel(log, 'error')
  for (const each of [log, child, grandchild]) each.warn('unheard')
  expect(lines.map(line => JSON.parse(line).msg)).toEqual(['heard', 'heard', 'heard'])
})
