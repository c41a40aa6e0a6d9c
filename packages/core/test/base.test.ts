import { Writable } from 'node:stream'
import { exponentialBackoff } from '@sightline/core/clock.js'
import { ERRORS, fault, faultText } from '@sightline/core/errors.js'
import { Lifecycle } from '@sightline/core/lifecycle.js'
import { createLog, redactUrl } from '@sightline/core/log.js'
import { l2Normalize } from '@sightline/core/vector.js'
import { describe, expect, it } from 'vitest'

const silent = createLog({ name: 'test', level: 'silent' })

describe('lifecycle', () => {
  const service = (name: string, calls: string[], failing = false) => ({
    name,
    start: async () => {
      if (failing) throw fault('CAMERA_FAILED', 'no')
      calls.push(`+${name}`)
    },
    stop: async () => {
      calls.push(`-${name}`)
      if (name === 'stubborn') throw fault('STORE_FAILED', 'stuck')
    },
  })

  it('starts in order, stops in reverse, once, whatever fails', async () => {
    const calls: string[] = []
    const services = [service('a', calls), service('stubborn', calls), service('c', calls)]
    const life = new Lifecycle({ services, log: silent })
    await life.start()
    await Promise.all([life.stop(), life.stop()])
    expect(calls).toEqual(['+a', '+stubborn', '+c', '-c', '-stubborn', '-a'])
  })

  it('undoes what was started when a later one fails', async () => {
    const calls: string[] = []
    const life = new Lifecycle({ services: [service('a', calls), service('b', calls, true)], log: silent })
    await expect(life.start()).rejects.toMatchObject({ code: 'CAMERA_FAILED' })
    expect(calls).toEqual(['+a', '-a'])
  })
})

describe('log', () => {
  it('lets no secret through, in fields, URLs or causes', () => {
    let text = ''
    const destination = new Writable({
      write(chunk, _encoding, done) {
        text += chunk
        done()
      },
    })
    const log = createLog({ name: 'test', level: 'info', destination })
    const cause = fault('CAMERA_FAILED', 'cannot open rtsp://admin:CANARY@cam/1')
    log.info(
      {
        password: 'CANARY',
        mqtt: { token: 'CANARY', deep: { secret: 'CANARY' } },
        source: 'rtsp://u:CANARY@h/',
      },
      'x',
    )
    log.error({ err: fault('CAMERA_FAILED', 'failed', { cause }) }, 'x')
    expect(text).not.toContain('CANARY')
    expect(text).toContain('rtsp://…@cam/1')
  })

  it('leaves text without credentials as it is', () => {
    expect(redactUrl('http://host/a@b and c@d')).toBe('http://host/a@b and c@d')
  })
})

describe('errors', () => {
  it('carry code, remedy, status and cause', () => {
    const cause = new TypeError('inner')
    const error = fault('IMAGE_INVALID', 'not a picture', { cause, details: { index: 3 } })
    expect(error).toMatchObject({
      code: 'IMAGE_INVALID',
      status: 422,
      remedy: ERRORS.IMAGE_INVALID.remedy,
      cause,
      details: { index: 3 },
    })
  })

  it('are printed with what to do, the unexpected ones too', () => {
    expect(faultText(fault('IMAGE_INVALID', 'no'))).toBe(
      `IMAGE_INVALID: no\n→ ${ERRORS.IMAGE_INVALID.remedy}`,
    )
    expect(faultText(new TypeError('x'))).toBe(`INTERNAL: x\n→ ${ERRORS.INTERNAL.remedy}`)
  })

  it('have remedies that are sentences and codes in order', () => {
    const codes = Object.keys(ERRORS)
    expect(codes).toEqual([...codes].sort())
    for (const { remedy } of Object.values(ERRORS)) expect(remedy).toMatch(/^[A-Z].{15,}\.$/)
  })
})

describe('numbers', () => {
  it('backs off exponentially between half and all of the cap', () => {
    const low = exponentialBackoff(100, 5000, () => 0)
    const high = exponentialBackoff(100, 5000, () => 1)
    expect([0, 1, 2, 9].map(attempt => low.delayMs(attempt))).toEqual([50, 100, 200, 2500])
    expect([0, 1, 2, 9, 1000].map(attempt => high.delayMs(attempt))).toEqual([100, 200, 400, 5000, 5000])
  })

  it('normalises and refuses what has no direction', () => {
    expect([...l2Normalize(Float32Array.of(3, 4))]).toEqual([expect.closeTo(0.6), expect.closeTo(0.8)])
    for (const bad of [
      [0, 0],
      [Number.NaN, 1],
      [Number.POSITIVE_INFINITY, 1],
    ]) {
      expect(() => l2Normalize(Float32Array.from(bad))).toThrow(
        expect.objectContaining({ code: 'MODEL_OUTPUT_INVALID' }),
      )
    }
  })
})
