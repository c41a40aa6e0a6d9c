import { execFile } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { eventually, type FrameView, HubApi } from '../support/api.ts'
import { type HubHandle, scratch, startAgent, startHub } from '../support/processes.ts'
import { folderOf } from '../support/samples.ts'

const FILM = join(process.env.SIGHTLINE_TEST_DATA ?? '', 'parity/clip.mp4')
const hasFilm = process.env.SIGHTLINE_TEST_DATA !== undefined && existsSync(FILM)
if (!hasFilm)
  process.stdout.write('skipped: no film; SIGHTLINE_TEST_DATA names the folder with parity/clip.mp4\n')

let space: Awaited<ReturnType<typeof scratch>>
beforeEach(async () => {
  space = await scratch()
})
afterEach(() => space.clean())

/** What the film shows, in seconds; it shows each thing once, for three seconds. */
const RULES = {
  'panda-or-penguin': {
    positives: ['a giant panda', 'a penguin'],
    on: 0.95,
    shown: [3, 21],
  },
  'sailing-boat': { positives: ['a sailing boat on the water'], on: 0.9, shown: [9] },
  castle: { positives: ['a castle'], on: 0.55, off: 0.45, shown: [12] },
  pizza: { positives: ['a pizza'], on: 0.9, shown: [36], actions: ['desk', 'lamp'] },
  balloon: {
    positives: ['a hot air balloon in the sky'],
    on: 0.7,
    minFrames: 2,
    windowSeconds: 60,
    shown: [42],
  },
} as const
const SHOWN_SECONDS = 3
const FILM_SECONDS = 60
/** It is played so many times faster than it was shot, at as many frames more: they are the same frames. */
const SPEED = 4
const SECRET = `whsec_${Buffer.alloc(24, 7).toString('base64')}`

function ruleOf(
  id: string,
  { shown: _, ...given }: { shown: readonly number[]; positives: readonly string[] },
) {
  return { id, name: id, off: 0.5, ...given }
}

/** Days that are neither today nor next to it, anywhere in the world. */
function otherDays(): string[] {
  const days = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
  const today = new Date().getUTCDay()
  return [3, 4].map(ahead => days[(today + ahead) % 7]!)
}

async function setRules(api: HubApi, rules: readonly object[]): Promise<number> {
  const response = await fetch(`${api.origin}/api/v1/rules`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ rules }),
  })
  expect(response.status, await response.clone().text()).toBe(200)
  return ((await response.json()) as { version: number }).version
}

interface NodeRow {
  readonly node: string
  readonly rulesVersion: number
  readonly rulesError?: string
}

async function node(api: HubApi): Promise<NodeRow | undefined> {
  const { nodes } = await api.get<{ nodes: NodeRow[] }>('/nodes')
  return nodes.find(({ node }) => node === 'agent-1')
}

async function hubAt(ports?: HubHandle): Promise<{ hub: HubHandle; api: HubApi }> {
  const hub = await startHub(space.dir, ports)
  space.own(hub.program)
  return { hub, api: new HubApi(hub.url) }
}

interface Call {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

async function desk(): Promise<{ url: string; calls: Call[]; close: () => void }> {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    void request.toArray().then(chunks => {
      calls.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      // The first one is lost on the way back.
      if (calls.length === 1) response.destroy()
      else response.writeHead(204).end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${port}/`, calls, close: () => server.close().closeAllConnections() }
}

const seqOf = ({ id }: FrameView) => Number(id.split('~')[3])
const fires = (frame: FrameView, rule: string) =>
  frame.verdicts.some(verdict => verdict.rule === rule && verdict.fired)

describe.runIf(hasFilm)('a film whose contents are known by the second', () => {
  it('right rule, right time, one incident per appearance, the hub killed in between', {
    timeout: 240_000,
  }, async () => {
    const first = await hubAt()
    const given = Object.entries(RULES).map(([id, rule]) => ruleOf(id, rule))
    const offDuty = {
      ...ruleOf('lemon-off-duty', { positives: ['a lemon', 'yellow lemons'], shown: [] }),
      on: 0.95,
      schedule: { timeZone: 'UTC', windows: [{ days: otherDays(), from: '00:00', to: '00:00' }] },
    }
    const version = await setRules(first.api, [...given, offDuty])
    const target = await desk()
    const film = join(space.dir, 'film.mp4')
    await promisify(execFile)('ffmpeg', [
      ...['-loglevel', 'error', '-itsscale', String(1 / SPEED), '-i', FILM, '-c', 'copy', film],
    ])
    const agent = space.own(
      await startAgent(space.dir, {
        mqttPort: first.hub.mqttPort,
        cameras: [{ name: 'film', source: film, fps: SPEED, repeat: false, gate: { threshold: 0 } }],
        extra: {
          actions: [{ name: 'desk', type: 'webhook', url: target.url, secret: SECRET, thumbnail: true }],
        },
      }),
    )
    await agent.line(/panda-or-penguin/)
    await eventually('some frames at the hub', async () =>
      (await first.api.frames()).length >= 6 ? true : undefined,
    )
    await first.hub.program.kill()
    // The castle comes and goes while nobody listens.
    await agent.line(/castle/)
    const { api } = await hubAt(first.hub)
    const frames = await eventually(
      'the whole film',
      async () => {
        const frames = await api.frames()
        return frames.length >= FILM_SECONDS ? frames.sort((a, b) => seqOf(a) - seqOf(b)) : undefined
      },
      150_000,
    )
    const expected = Object.values(RULES).reduce((sum, { shown }) => sum + shown.length, 0)
    const incidents = await eventually('every incident ended', async () => {
      const all = (await api.incidents()).filter(({ endedAt }) => endedAt !== null)
      return all.length >= expected ? all : undefined
    })

    // One frame a second of the film, the first 0.4 s into it: the number of a frame is its second.
    expect(frames).toHaveLength(FILM_SECONDS)
    for (const [id, rule] of Object.entries(RULES)) {
      const seconds = rule.shown.flatMap(start => Array.from({ length: SHOWN_SECONDS }, (_, i) => start + i))
      expect(
        frames.flatMap((frame, second) => (fires(frame, id) ? [second] : [])),
        id,
      ).toEqual(seconds)
      const own = incidents
        .filter(incident => incident.rule === id)
        .sort((a, b) => a.startedAt.localeCompare(b.startedAt))
      expect(own, id).toHaveLength(rule.shown.length)
      for (const [i, start] of rule.shown.entries()) {
        expect(own[i], id).toMatchObject({
          frames: SHOWN_SECONDS,
          startedAt: frames[start]!.capturedAt,
          endedAt: frames[start + SHOWN_SECONDS]!.capturedAt,
        })
        const best = frames.findIndex(frame => frame.id === own[i]!.bestFrameId)
        expect(best, id).toBeGreaterThanOrEqual(start)
        expect(best, id).toBeLessThan(start + SHOWN_SECONDS)
      }
    }
    expect(incidents).toHaveLength(expected)
    const lemons = frames.flatMap(({ verdicts }) => verdicts.filter(({ rule }) => rule === 'lemon-off-duty'))
    expect(lemons.some(({ score, fired }) => score >= 0.95 && !fired)).toBe(true)
    expect(lemons.some(({ fired }) => fired)).toBe(false)

    expect(await node(api)).toMatchObject({ rulesVersion: version })
    await eventually('the webhooks', async () => (target.calls.length >= 3 ? true : undefined))
    target.close()
    const types = target.calls.map(({ body }) => (JSON.parse(body) as { type: string }).type)
    expect(types).toEqual(['incident.new', 'incident.new', 'incident.end'])
    expect(new Set(target.calls.map(({ headers }) => headers['webhook-id'])).size).toBe(2)
    for (const { headers, body } of target.calls) {
      const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
      const mac = createHmac('sha256', Buffer.alloc(24, 7)).update(text).digest('base64')
      expect(headers['webhook-signature']).toBe(`v1,${mac}`)
    }
    const [begun] = target.calls.map(({ body }) => JSON.parse(body).data)
    expect(begun).toMatchObject({ node: 'agent-1', camera: 'film', rule: { id: 'pizza' } })
    expect(Buffer.from(begun.thumbnail, 'base64').subarray(0, 2)).toEqual(Buffer.from([0xff, 0xd8]))
    expect(await agent.stop()).toBe(0)
  })
})

describe('a device that was away for long', () => {
  it('judges by what it has, and gets the newest rules when it comes back', {
    timeout: 120_000,
  }, async () => {
    const source = `folder:${await folderOf(join(space.dir, 'cats'), ['tabby-cat-face', 'museum-hall'])}`
    const cameras = [{ name: 'yard', source, fps: 4 }]
    const cats = (name: string) => ({ ...ruleOf('cat', { positives: ['a cat'], shown: [] }), name, on: 0.6 })
    const first = await hubAt()
    const before = await setRules(first.api, [cats('old cat')])
    const options = { mqttPort: first.hub.mqttPort, cameras }
    const agent = space.own(await startAgent(space.dir, options))
    await agent.line(/old cat/)
    await agent.stop()

    // The rules change three times, and the hub is not the same process any more.
    for (const name of ['second cat', 'third cat', 'new cat']) await setRules(first.api, [cats(name)])
    await first.hub.program.kill()
    const alone = space.own(await startAgent(space.dir, options))
    await alone.line(/old cat/)
    const { api } = await hubAt(first.hub)
    await alone.line(/new cat/)
    expect(alone.lines.join()).not.toMatch(/second|third/)
    const row = await eventually('the device with the newest rules', async () => {
      const row = await node(api)
      return row?.rulesVersion === before + 3 ? row : undefined
    })
    expect(row.rulesError).toBeUndefined()
    await alone.stop()
  })
})
