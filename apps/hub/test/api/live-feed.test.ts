import type { ServerResponse } from 'node:http'
import { PassThrough } from 'node:stream'
import { LiveFeed } from '@sightline/hub/api/live-feed.js'
import { Scope } from '@sightline/hub/auth/scope.js'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const WATCHER = { actor: 'user:ada', scope: new Scope(undefined), holds: () => true }

describe('the live feed', () => {
  let feed: LiveFeed

  beforeEach(() => {
    vi.useFakeTimers()
    feed = new LiveFeed({ maxClients: 3 })
  })
  afterEach(() => {
    feed.close()
    vi.useRealTimers()
  })

  function watch(lastEventId?: string) {
    const response = Object.assign(new PassThrough(), { writeHead: () => {} })
    feed.attach(response as unknown as ServerResponse, {}, { ...WATCHER, lastEventId })
    return { text: () => String(response.read() ?? '') }
  }
  const sayReply = () => feed.send('reply', { site: 's', node: 'n' } as never)

  it('says that it is alive in a way that a page hears', () => {
    const { text } = watch()
    text()
    vi.advanceTimersByTime(15_000)
    expect(text()).toBe('event: alive\ndata: {}\n\n')
  })

  it('tells everybody to read the present, those too who come back', () => {
    const { text } = watch()
    sayReply()
    const id = /^id: (.*)$/m.exec(text())![1]!
    expect(watch(id).text()).not.toContain('resync')
    feed.resync()
    expect(text()).toBe('event: resync\ndata: {}\n\n')
    expect(watch(id).text()).toContain('event: resync')
  })
})
