import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Hub } from '@sightline/hub/hub.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runningHub } from '../support/running-hub.ts'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))
const CLI = join(ROOT, 'apps/hub/dist/main.js')
const run = promisify(execFile)
const document = await readFile(join(ROOT, 'docs/api.md'), 'utf8')
const examples = [...document.matchAll(/```sh\n([\s\S]*?)```/g)].map(match => match[1]!)
const IMPORTED = 'default~import~00000000000000000000IMPORT'

let dir = ''
let hub: Hub
let url = ''

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'api-docs-'))
  hub = await runningHub(dir)
  url = `http://127.0.0.1:${hub.httpPort}`
})
afterAll(async () => {
  await hub?.stop()
  await rm(dir, { recursive: true, force: true })
})

const shell = (script: string) =>
  run('bash', ['-euo', 'pipefail', '-c', script], { cwd: ROOT, env: { ...process.env, HUB: url } })

// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, each checked by the expectation that reads it
async function post(path: string, body: unknown, status = 200): Promise<any> {
  const response = await fetch(`${url}/api/v1/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = await response.json()
  expect(response.status, JSON.stringify(answer)).toBe(status)
  return answer
}

describe('examples of docs/api.md', () => {
  test.each(examples.map((script, i) => [i + 1, script] as const))(
    '%i runs',
    async (_i, script) => {
      const { stdout } = await shell(script)
      expect(stdout).not.toContain('"error"')
    },
    60_000,
  )
})

test('the words find their pictures, and the parts say why', async () => {
  const { hits, facets, total } = await post('search', { text: 'a puppy', facets: true, explain: true })
  expect(hits[0]).toMatchObject({ id: `${IMPORTED}~4`, camera: 'yard', verdicts: [] })
  expect(hits[0].thumbnailUrl).toContain('/thumbnail')
  expect(hits[0].contributions[0].contribution).toBeCloseTo(hits[0].similarity, 6)
  expect(total).toEqual({ value: 4, relation: 'eq' })
  expect(facets.camera[0]).toEqual({ value: 'default/import/yard', count: 2 })
  const { labels } = await post('classify', { id: `${IMPORTED}~4`, labels: ['puppy', 'moose'] })
  expect(labels[0].label).toBe('puppy')
  const { matches } = await post('rank', {
    text: 'a moose',
    matches: [{ id: `${IMPORTED}~2` }, { id: `${IMPORTED}~1` }],
  })
  expect(matches[0]).toMatchObject({ index: 1, id: `${IMPORTED}~1` })
  expect(matches[0].scores.clip_score.value + matches[1].scores.clip_score.value).toBeCloseTo(1, 6)
})

test('numbered pictures of a session are stored once', async () => {
  const image = (await readFile(join(ROOT, 'deploy/samples/cameras/yard/13-moose.jpg'))).toString('base64')
  const path = 'index?site=archive&camera=box&session=01JD0000000000000000000000'
  const first = await post(path, [{ image, seq: 1 }])
  expect(first).toEqual({ ids: ['archive~import~01JD0000000000000000000000~1'], duplicates: 0 })
  expect(await post(path, [{ image, seq: 1 }])).toEqual({ ids: [], duplicates: 1 })
  expect((await post('index?site=archive&camera=box', [{}], 400)).error.code).toBe('API_BAD_REQUEST')
})

test('a saved search fires on what comes, keeps its hits, and a watcher that was away gets them', async () => {
  const read = async (headers: Record<string, string>, until: RegExp) => {
    const abort = new AbortController()
    const stream = await fetch(`${url}/api/v1/live`, { headers, signal: abort.signal })
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    return {
      done: (async () => {
        while (!until.test(text)) text += (await reader.read()).value ?? ''
        abort.abort()
        return text
      })(),
    }
  }
  const saved = await post('searches', { name: 'Moose', text: 'a moose', threshold: 0.1 }, 201)
  expect(saved).toMatchObject({ name: 'Moose', subjects: ['a moose'], threshold: 0.1 })
  const watching = await read({}, /event: saved-search[\s\S]*\n\n/)
  const picture = (name: string) => readFile(join(ROOT, 'deploy/samples/cameras', name), 'base64')
  await post('index?site=default&camera=yard', [{ image: await picture('yard/13-moose.jpg') }])
  const text = await watching.done
  expect(text).toContain('"name":"Moose"')
  const kept = async () => {
    const response = await fetch(`${url}/api/v1/searches/${saved.id}/hits`)
    return ((await response.json()) as { hits: unknown[] }).hits.length
  }
  await expect.poll(kept).toBe(1)
  const seen = /id: (\S+)\nevent: saved-search/.exec(text)![1]!
  await post('index?site=default&camera=yard', [{ image: await picture('yard/13-moose.jpg') }])
  const resumed = await (await read({ 'last-event-id': seen }, /event: saved-search[\s\S]*\n\n/)).done
  expect(resumed).not.toContain(`id: ${seen}\n`)
  expect(await (await read({ 'last-event-id': 'other-3' }, /resync[\s\S]*\n\n/)).done).toContain(
    'event: resync',
  )
  expect((await fetch(`${url}/api/v1/searches/${saved.id}`, { method: 'DELETE' })).status).toBe(204)
  expect((await fetch(`${url}/api/v1/searches/${saved.id}`)).status).toBe(404)
})

test('the command line searches and indexes', async () => {
  const { stdout } = await run(process.execPath, [
    CLI,
    'search',
    'fireworks at night',
    '--hub',
    url,
    '--limit',
    '1',
  ])
  expect(stdout).toContain('default/import/harbour')
  const indexed = await run(process.execPath, [
    ...[CLI, 'index', join(ROOT, 'deploy/samples/cameras/harbour')],
    ...['--hub', url, '--site', 'shelf', '--camera', 'box'],
  ])
  expect(indexed.stdout).toMatch(/\d+ pictures stored/)
})
