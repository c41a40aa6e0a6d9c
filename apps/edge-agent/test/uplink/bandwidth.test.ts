import { Bandwidth } from '@sightline/edge-agent/uplink/bandwidth.js'
import { beforeEach, describe, expect, it } from 'vitest'

let line: Bandwidth
let nowMs = 0
beforeEach(() => {
  line = new Bandwidth()
})

/** One message alone on the line. */
function deliver(bytes: number, tookMs: number): void {
  const departure = line.depart(nowMs)
  nowMs += tookMs
  line.acknowledged([departure], bytes, nowMs)
}

describe('Bandwidth', () => {
  it('knows nothing at first, and then what a share of the line takes', () => {
    expect(line.timeOf(1_000_000, 0.5)).toBe(0)
    deliver(100_000, 1000)
    expect(line.timeOf(100_000, 0.5)).toBeCloseTo(2000)
    expect(line.timeOf(200_000, 1)).toBeCloseTo(2000)
  })

  it('takes the way of many small messages for no thin line', () => {
    for (let i = 0; i < 60; i++) deliver(340, 50)
    // Sixty round trips of 50 ms: by their rate, 300 kB would take a minute and a half.
    expect(line.timeOf(300_000, 0.5)).toBeLessThan(1000)
    deliver(300_000, 500)
    expect(line.timeOf(300_000, 0.5)).toBeCloseTo(1000, -2)
  })

  it('measures messages that are under way together as what they are, one load', () => {
    const departures = [line.depart(0), line.depart(0), line.depart(0)]
    line.acknowledged(departures, 300_000, 3000)
    expect(line.timeOf(100_000, 1)).toBeCloseTo(1000)
  })

  it('forgets what the line once was', () => {
    for (let i = 0; i < 20; i++) deliver(100_000, 100)
    for (let i = 0; i < 20; i++) deliver(100_000, 5000)
    expect(line.timeOf(100_000, 1)).toBeGreaterThan(4500)
    expect(line.timeOf(100_000, 1)).toBeLessThanOrEqual(5000)
  })
})
