import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, createLog } from '@sightline/core'
import type { Action, ActionNotice, Delivery } from '@sightline/edge-agent/actions/action.js'
import { ExecAction } from '@sightline/edge-agent/actions/exec-action.js'
import { WebhookAction } from '@sightline/edge-agent/actions/webhook-action.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually } from '../support/api.ts'

const log = createLog({ name: 'test', level: 'silent' })
const TIMEOUT_MS = 5000

const NOTICE: ActionNotice = {
  type: 'incident.new',
  timestamp: '2026-03-02T08:00:00.000Z',
  data: {
    site: 'site',
    node: 'node',
    camera: 'gate',
    rule: { id: 'fire', name: 'Feuer — "火"', severity: 'high', version: 3 },
    incident: {
      id: '01HZZZZZZZZZZZZZZZZZZZZZZZ',
      startedAt: '2026-03-02T07:59:58.000Z',
      score: 0.9,
      peakScore: 0.95,
      frames: 3,
      bestFrameId: 'site~node~01HZZZZZZZZZZZZZZZZZZZZZZY~7',
    },
    // Longer than a pipe's buffer.
    thumbnail: 'A'.repeat(90_000),
  },
}

/** Stands still; whoever sleeps wakes when the test says so. */
class ManualClock implements Clock {
  readonly #sleepers = new Map<() => void, number>()

  now = () => 1_700_000_000_000
  monotonic = () => 0

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        this.#sleepers.delete(wake)
        resolve()
      }
      this.#sleepers.set(wake, delayMs)
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(wake)
        reject(signal.reason)
      })
    })
  }

  /** Delays that something waits for. */
  get sleeping(): number[] {
    return [...this.#sleepers.values()]
  }

  wakeAll(): void {
    for (const wake of this.#sleepers.keys()) wake()
  }
}

/** How a target behaves: it takes what comes, refuses, never answers, or talks without end. */
const MOODS = ['well', 'failing', 'hanging', 'talking'] as const
type Mood = (typeof MOODS)[number]

interface Harness {
  readonly action: Action
  /** What the target took, whole. */
  taken(): Promise<Delivery[]>
  /** Deliveries that reached the target, taken or not. */
  reached(): Promise<number>
  close(): Promise<void>
}

let dir = ''
let clock: ManualClock
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'action-'))
  clock = new ManualClock()
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function webhookHarness(mood: Mood): Promise<Harness> {
  const deliveries: Delivery[] = []
  let reached = 0
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const body = Buffer.concat(await request.toArray()).toString('utf8')
    reached++
    if (mood === 'hanging') return
    if (mood === 'well') {
      deliveries.push({ id: String(request.headers['webhook-id']), notice: JSON.parse(body) })
      response.writeHead(204).end()
    } else {
      response.writeHead(mood === 'talking' ? 200 : 503, { 'content-type': 'text/plain' })
      if (mood === 'failing') response.end('no room')
      else endless(response)
    }
  }
  const server = createServer((request, response) => void answer(request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  return {
    action: new WebhookAction({ name: 'hook', url, secret: undefined, timeoutMs: TIMEOUT_MS, clock }),
    taken: async () => deliveries,
    reached: async () => reached,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function endless(response: ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024, 'x')
  const more = () => {
    while (!response.destroyed && response.write(chunk)) {}
  }
  response.on('drain', more)
  more()
}

const SCRIPTS: Readonly<Record<Mood, string>> = {
  well: 'cat > "$1/taken/$SIGHTLINE_DELIVERY_ID.$$"',
  failing: 'echo "no room" >&2; exit 3',
  hanging: 'sleep 1000',
  talking: 'head -c 20000000 /dev/zero',
}

async function execHarness(mood: Mood): Promise<Harness> {
  const command = join(dir, 'program')
  await writeFile(command, `#!/bin/sh\nmkdir -p "$1/taken"; : > "$1/reached.$$"\n${SCRIPTS[mood]}\n`)
  await chmod(command, 0o755)
  return {
    action: new ExecAction({ name: 'program', command, args: [dir], timeoutMs: TIMEOUT_MS, clock, log }),
    taken: async () => {
      const files = await readdir(join(dir, 'taken'))
      return await Promise.all(
        files.map(async file => ({
          id: file.replace(/\.\d+$/, ''),
          notice: JSON.parse(await readFile(join(dir, 'taken', file), 'utf8')),
        })),
      )
    },
    reached: async () => (await readdir(dir)).filter(name => name.startsWith('reached.')).length,
    close: async () => {},
  }
}

describe.each<[string, (mood: Mood, clock: Clock) => Promise<Harness>]>([
  ['webhook', webhookHarness],
  ['exec', execHarness],
])('Action: %s', (_name, open) => {
  const never = new AbortController().signal
  let harness: Harness
  const opened = async (mood: Mood) => {
    harness = await open(mood, clock)
    return harness.action
  }
  const reached = () =>
    eventually('the delivery at the target', async () => ((await harness.reached()) > 0 ? true : undefined))
  afterEach(() => harness.close())

  it('hands over the notice, whole, with its id', async () => {
    const action = await opened('well')
    await action.deliver({ id: 'one.1', notice: NOTICE }, never)
    expect(await harness.taken()).toEqual([{ id: 'one.1', notice: NOTICE }])
  })

  it('keeps the id when it does it again', async () => {
    const action = await opened('well')
    for (const id of ['one.1', 'one.1', 'one.2']) await action.deliver({ id, notice: NOTICE }, never)
    expect((await harness.taken()).map(({ id }) => id).sort()).toEqual(['one.1', 'one.1', 'one.2'])
  })

  it('says when the target refuses, and why', async () => {
    const action = await opened('failing')
    const failure = action.deliver({ id: 'one.1', notice: NOTICE }, never)
    await expect(failure).rejects.toMatchObject({
      code: 'ACTION_FAILED',
      message: expect.stringMatching(/no room/),
    })
    await expect(failure).rejects.not.toMatchObject({ details: { gone: true } })
  })

  it('does not wait for ever', async () => {
    const action = await opened('hanging')
    const failure = action.deliver({ id: 'one.1', notice: NOTICE }, never).catch((error: unknown) => error)
    await reached()
    expect(clock.sleeping).toEqual([TIMEOUT_MS])
    clock.wakeAll()
    expect(await failure).toMatchObject({ code: 'ACTION_FAILED', message: 'not done within 5 s' })
  })

  it('stops when it is told to', async () => {
    const action = await opened('hanging')
    const stop = new AbortController()
    const failure = action
      .deliver({ id: 'one.1', notice: NOTICE }, stop.signal)
      .catch((error: unknown) => error)
    await reached()
    stop.abort()
    expect(await failure).toMatchObject({ code: 'ACTION_FAILED' })
    await expect(action.deliver({ id: 'one.2', notice: NOTICE }, stop.signal)).rejects.toMatchObject({
      code: 'ACTION_FAILED',
    })
    expect(clock.sleeping).toEqual([])
  })

  it('keeps little of what a target says', async () => {
    const action = await opened('talking')
    const before = process.memoryUsage.rss()
    await action.deliver({ id: 'one.1', notice: NOTICE }, never)
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024)
  })
})
