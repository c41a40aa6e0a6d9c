import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { failPointFrom, noFailPoint } from '@sightline/core'
import { describe, expect, it } from 'vitest'

const MODULE = fileURLToPath(new URL('../dist/fail-point.js', import.meta.url))

/** Passes the points in a process of its own; returns what it printed on the way and the signal that ended it. */
function pass(spec: string, names: readonly string[]): { printed: string; signal: string | null } {
  const script = `
    import { writeSync } from 'node:fs'
    import { failPointFrom } from ${JSON.stringify(MODULE)}
    const point = failPointFrom(${JSON.stringify(spec)})
    for (const name of ${JSON.stringify(names)}) { point(name); writeSync(1, name) }`
  const { stdout, signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script])
  return { printed: stdout.toString(), signal }
}

describe('failPointFrom', () => {
  it('does nothing without a specification', () => {
    expect(failPointFrom(undefined)).toBe(noFailPoint)
    expect(failPointFrom('')).toBe(noFailPoint)
  })

  it('ends the process at the named point, when it comes there for the counted time', () => {
    expect(pass('b c:2', ['a', 'b c', 'a', 'b c', 'd'])).toEqual({ printed: 'ab ca', signal: 'SIGKILL' })
    expect(pass('x:1', ['a', 'b'])).toEqual({ printed: 'ab', signal: null })
  })

  it.each(['before commit', 'x:0', ':1', 'x:-1', 'x:1:2'])('refuses %s', spec => {
    expect(() => failPointFrom(spec)).toThrow(/NAME:COUNT/)
  })
})
