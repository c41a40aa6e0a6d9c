import { matchesCamera } from '@sightline/core/moderation/camera-glob.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('matchesCamera', () => {
  it.each([
    [['*'], 'gate', true],
    [['gate'], 'gate', true],
    [['gate'], 'gate-2', false],
    [['gate*'], 'gate-2', true],
    [['*gate'], 'north-gate', true],
    [['*a*'], 'gate', true],
    [['a*a'], 'a', false],
    [['g.te'], 'gate', false],
    [['yard', 'g*e'], 'gate', true],
    [[], 'gate', false],
  ])('%j and %s: %s', (globs, camera, expected) => {
    expect(matchesCamera(globs, camera)).toBe(expected)
  })

  it('agrees with a regular expression', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 })
    fc.assert(
      fc.property(text, text, (glob, camera) => {
        const name = camera.replaceAll('*', '')
        const pattern = glob.replaceAll('.', '\\.').replaceAll('*', '.*')
        expect(matchesCamera([glob], name)).toBe(new RegExp(`^${pattern}$`).test(name))
      }),
      { numRuns: 5000 },
    )
  })

  it('takes no time over many stars', () => {
    const before = process.cpuUsage()
    expect(matchesCamera([`${'*a'.repeat(64)}b`], 'a'.repeat(64))).toBe(false)
    expect(process.cpuUsage(before).user).toBeLessThan(100_000)
  })
})
