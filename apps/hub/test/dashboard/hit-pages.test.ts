import { describe, expect, test } from 'vitest'
import type { Frame, FrameFilter, Hit, SearchAnswer, SearchRequest } from '../../dashboard/src/api-types.ts'
import { newestPage, PAGE_SIZE, searchPage } from '../../dashboard/src/hit-pages.ts'

const { signal } = new AbortController()
const frame = (id: number) => ({ id: `f${id}` }) as Frame
const ids = (frames: readonly Frame[]) => frames.map(({ id }) => Number(id.slice(1)))

describe('pages of a search', () => {
  test('each with the cursor of the one before and the same question', async () => {
    const asked: SearchRequest[] = []
    const api = {
      search: async (request: SearchRequest) => {
        asked.push(request)
        const last = asked.length === 2
        return {
          hits: [frame(asked.length) as Hit],
          nextCursor: last ? null : 'c1',
          tookMs: 1,
          model: { name: 'test', fingerprint: 'test:0' },
        } satisfies SearchAnswer
      },
    }
    const filter = { from: '2026-01-01T00:00:00.000Z' }
    const first = await searchPage(api, { subject: { text: 'a cat' }, filter }, signal)
    const second = await first.next!(signal)
    expect(second.next).toBeUndefined()
    const { cursor: _, ...question } = asked[1]!
    expect(asked[0]).toEqual(question)
    expect(asked.map(({ cursor }) => cursor)).toEqual([undefined, 'c1'])
  })
})

describe('pages of the newest frames', () => {
  /** Newest first; more come in between two questions. */
  function hub(stored: number) {
    let newest = stored
    return {
      arrive: (frames: number) => {
        newest += frames
      },
      frames: async ({ limit }: FrameFilter & { limit: number }) =>
        Array.from({ length: Math.min(limit, newest) }, (_, i) => frame(newest - i)),
    }
  }

  test('go on below what is known and repeat nothing, while frames come in', async () => {
    const api = hub(60)
    const first = await newestPage(api, {}, signal)
    expect(ids(first.frames)).toEqual(Array.from({ length: PAGE_SIZE }, (_, i) => 60 - i))
    api.arrive(3)
    const second = await first.next!(signal)
    expect(ids(second.frames)[0]).toBe(60 - PAGE_SIZE)
    const third = await second.next!(signal)
    const shown = ids([...first.frames, ...second.frames, ...third.frames])
    expect(shown).toEqual(Array.from({ length: shown.length }, (_, i) => 60 - i))
  })

  test('end with the last frame, and with all that the hub lists', async () => {
    expect((await newestPage(hub(3), {}, signal)).next).toBeUndefined()
    let page = await newestPage(hub(10_000), {}, signal)
    let shown = page.frames.length
    while (page.next !== undefined) {
      page = await page.next(signal)
      shown += page.frames.length
    }
    expect(shown).toBe(500)
  })
})
