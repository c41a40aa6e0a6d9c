import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { frameIdOf, TestHub } from './hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await TestHub.start()
})
afterAll(() => hub?.stop())

async function backtest(path: string, body?: unknown) {
  const response = await fetch(`${hub.url}/api/v1/rules/${path}`, {
    method: 'POST',
    ...(body === undefined
      ? {}
      : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  expect(response.headers.get('content-type')).toContain('application/x-ndjson')
  const lines = (await response.text()).trimEnd().split('\n')
  return lines.map(line => JSON.parse(line))
}

const CUP = { id: 'cup', name: 'Cup', positives: ['a cup of coffee'], on: 0.45, off: 0.35 }

describe('backtest', () => {
  it('of a saved rule tells its progress and its result', async () => {
    const lines = await backtest('coffee-or-tea/backtest')
    expect(lines[0]).toEqual({ type: 'progress', scanned: 4, total: 4, frames: 4 })
    const result = lines.at(-1)
    expect(result).toMatchObject({
      type: 'result',
      rule: { id: 'coffee-or-tea', version: 1, on: 0.45 },
      scanned: 4,
      frames: 4,
      fired: 1,
      first: '2026-01-01T12:00:00.000Z',
      incidents: {
        total: 1,
        perDay: 1,
        days: [{ day: '2026-01-01', frames: 4, fired: 1, incidents: 1 }],
        top: [{ camera: 'lobby', bestFrameId: frameIdOf(2) }],
      },
      labelled: null,
    })
    expect(result.best[0]).toMatchObject({ id: frameIdOf(2), camera: 'lobby', score: expect.any(Number) })
    expect(result.histogram).toHaveLength(20)
    expect(result.framesPerSecond).toBeGreaterThan(0)
  })

  it('of an unsaved rule, within a filter', async () => {
    const lines = await backtest('backtest', {
      rule: CUP,
      filter: { camera: 'lobby', from: '2026-01-01T12:00:00Z' },
      limit: 1,
    })
    expect(lines.at(-1)).toMatchObject({
      type: 'result',
      rule: { id: 'cup', version: null },
      frames: 1,
      best: [{ id: frameIdOf(2) }],
    })
    expect((await hub.call('/api/v1/rules')).body.version).toBe(1)
  })

  it.each([
    ['an unknown rule', 'nope/backtest', {}, 404, 'API_NOT_FOUND', /nope/],
    [
      'a faulty rule',
      'backtest',
      { rule: { ...CUP, off: 0.9, positives: [''] } },
      422,
      'RULES_INVALID',
      /rule\.positives\.0/,
    ],
    ['an inverted threshold', 'backtest', { rule: { ...CUP, off: 0.9 } }, 422, 'RULES_INVALID', /rule\.off/],
    ['no rule', 'backtest', {}, 400, 'API_BAD_REQUEST', /rule/],
    ['an unknown key', 'cat-in-view/backtest', { cameras: 'x' }, 400, 'API_BAD_REQUEST', /additional/],
  ])('refuses %s before it begins', async (_what, path, body, status, code, message) => {
    const answer = await hub.post(`/api/v1/rules/${path}`, body)
    expect([answer.status, answer.body.error.code]).toEqual([status, code])
    expect(answer.body.error.message).toMatch(message)
  })

  it('is free again after clients that went away', async () => {
    for (let i = 0; i < 4; i++) {
      const gone = new AbortController()
      const response = await fetch(`${hub.url}/api/v1/rules/cat-in-view/backtest`, {
        method: 'POST',
        signal: gone.signal,
      })
      expect(response.status).toBe(200)
      gone.abort()
      await expect
        .poll(async () => (await backtest('cat-in-view/backtest', {}).catch(() => []))?.at(-1)?.type)
        .toBe('result')
    }
  })
})
