import { createPublicKey } from 'node:crypto'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { decodeMessagePack, RuleBundle, rulesTopic, SignedRules, verifyBundle } from '@sightline/core'
import { parseYaml } from '@sightline/core/yaml.js'
import { connectAsync } from 'mqtt'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runHub } from '../../../../test/support/processes.ts'
import { frameIdOf, photo, TestHub } from '../moderation/hub.ts'
import type { Answer } from '../support/hub-calls.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await TestHub.start({ moderation: { learnDelaySeconds: 0 } })
})
afterAll(() => hub?.stop())

const boat = { id: 'boat', name: 'Boat', positives: ['a boat on a lake'] }
const get = async (path: string) => (await hub.call(`/api/v1/${path}`)).body
const put = (path: string, body: unknown) => hub.post(`/api/v1/${path}`, body, 'PUT')
const remove = (path: string) => hub.call(`/api/v1/${path}`, { method: 'DELETE' })
const yaml = (method: string, path: string, body: string): Promise<Answer> =>
  hub.call(`/api/v1/${path}`, { method, headers: { 'content-type': 'application/yaml' }, body })
const errorOf = ({ status, body }: Answer) => [status, body.error.code, body.error.message]
const codeOf = (answer: Answer) => errorOf(answer).slice(0, 2)

async function scoreOf(rule: string, picture: Buffer): Promise<number> {
  const { body } = await hub.post('/api/v1/moderations', { image: picture.toString('base64') })
  return body.results[0].labels.find((label: { rule_id: string }) => label.rule_id === rule).score
}

/** What a device would get at this moment, from the broker. */
async function retained(): Promise<RuleBundle> {
  const client = await connectAsync(hub.mqttUrl)
  const { model } = await get('system')
  const topic = rulesTopic('default', 'all', model.fingerprint)
  const payload = await new Promise<Buffer>(resolve => {
    client.on('message', (_topic, message) => resolve(message))
    client.subscribe(topic, { qos: 1 })
  })
  await client.endAsync()
  const { publicKey, keyId } = await get('rules/key')
  const signed = decodeMessagePack(SignedRules, payload)
  expect(signed.keyId).toBe(keyId)
  expect(verifyBundle(createPublicKey(publicKey), topic, signed.bundle, signed.signature)).toBe(true)
  return decodeMessagePack(RuleBundle, signed.bundle)
}

describe('single rules', () => {
  it('are added, read, changed and removed', async () => {
    const added = await hub.post('/api/v1/rules', boat)
    expect([added.status, added.body.rule.id]).toEqual([201, 'boat'])
    expect(codeOf(await hub.post('/api/v1/rules', boat))).toEqual([409, 'RULES_CONFLICT'])
    expect((await put('rules/boat', { ...boat, name: 'Ship' })).body.rule.name).toBe('Ship')
    expect((await get('rules/boat')).rule.name).toBe('Ship')
    const bundle = await retained()
    expect(bundle.rules.map(({ id }) => id)).toContain('boat')
    const stale = await put(`rules/boat?version=${added.body.version}`, boat)
    expect(codeOf(stale)).toEqual([409, 'RULES_CONFLICT'])
    expect((await remove('rules/boat')).status).toBe(200)
    expect((await remove('rules/boat')).status).toBe(404)
    expect((await hub.call('/api/v1/rules/boat')).status).toBe(404)
  })

  it.each([
    ['no positive prompt', { positives: [] }, /rule\.positives: at least one prompt/],
    ['an inverted threshold', { on: 0.4, off: 0.6 }, /rule\.off: must not be above on \(0\.4\)/],
    ['an inverted review band', { on: 0.6, reviewAt: 0.6 }, /rule\.reviewAt: must be below on \(0\.6\)/],
    [
      'a glob that no camera can match',
      { cameras: ['yard', 'the gate'] },
      /rule\.cameras\.1: "the gate" can match/,
    ],
    [
      'an unknown time zone',
      { schedule: { timeZone: 'Europe/Berln', windows: [{}] } },
      /rule\.schedule\.timeZone/,
    ],
    [
      'a window that is none',
      { schedule: { windows: [{ from: '25:00' }] } },
      /rule\.schedule\.windows\.0\.from/,
    ],
    ['no window', { schedule: { windows: [] } }, /rule\.schedule\.windows/],
    [
      'a day twice',
      { schedule: { windows: [{ days: ['mon', 'mon'] }] } },
      /windows\.0\.days\.1: mon stands there twice/,
    ],
    [
      'an unknown example',
      { positiveExamples: [frameIdOf(1), 'ex:00'] },
      /rule\.positiveExamples\.1: .*uploaded example ex:00/,
    ],
    ['an unknown frame', { negativeExamples: ['a~b~c~1'] }, /rule\.negativeExamples\.0: .*stored frame/],
    [
      'an example on both sides',
      { positiveExamples: [frameIdOf(1)], negativeExamples: [frameIdOf(1)] },
      /rule\.negativeExamples\.0: .*positiveExamples\.0 already/,
    ],
    [
      'a prompt that the model cannot read whole',
      { positives: ['word '.repeat(190)] },
      /rule\.positives\.0: is longer/,
    ],
    ['a prompt of thousands of characters', { positives: ['x'.repeat(1001)] }, /rule\.positives\.0/],
    ['a reserved id', { id: 'history' }, /rule\.id: history is reserved/],
    ['an unknown key', { postives: [] }, /rule\.postives: unknown key/],
  ])('are refused with %s', async (_what, change, message) => {
    const answer = await hub.post('/api/v1/rules', { ...boat, ...change })
    expect(errorOf(answer)).toEqual([422, 'RULES_INVALID', expect.stringMatching(message)])
  })

  it('are refused unread when they come in megabytes', async () => {
    const rules = [{ ...boat, positives: Array.from({ length: 10_500 }, () => 'x'.repeat(1000)) }]
    for (const answer of [
      await put('rules', { rules }),
      await put('rules/boat', rules[0]),
      await yaml('PUT', 'rules', JSON.stringify({ rules })),
    ])
      expect(codeOf(answer)).toEqual([413, 'RULES_TOO_LARGE'])
  })
})

describe('rules as YAML', () => {
  it('go out and come in', async () => {
    const response = await fetch(`${hub.url}/api/v1/rules?format=yaml`)
    expect(response.headers.get('content-type')).toContain('application/yaml')
    const text = await response.text()
    const { version, rules } = await get('rules')
    expect(parseYaml(text)).toEqual({ version, rules })
    const answer = await yaml('PUT', 'rules', text)
    expect(answer).toMatchObject({ status: 200, body: { version: version + 1, rules } })
    expect(codeOf(await yaml('PUT', 'rules', text))).toEqual([409, 'RULES_CONFLICT'])
    const list = `- id: boat\n  name: Boat\n  positives: []\n`
    expect((await yaml('POST', 'rules/check', list)).body.faults).toMatchObject([
      { path: 'rules.0.positives', line: 3, column: 14 },
    ])
    const missing = `# by hand\nrules:\n  - id: boat\n    name: Boat\n    off: 2\n    positives: [a boat]\n  - id: fish\n`
    expect((await yaml('POST', 'rules/check', missing)).body).toMatchObject({
      faults: [{ path: 'rules.0.off', line: 5 }, { line: 7, column: 5 }, { line: 7 }],
      rules: [],
    })
    expect(errorOf(await yaml('PUT', 'rules', 'rules: [\n'))).toEqual([
      422,
      'RULES_INVALID',
      expect.stringMatching(/line \d/),
    ])
  })

  it('come one at a time, and are read back with their defaults', async () => {
    const [rule] = (await get('rules')).rules
    const text = await (await fetch(`${hub.url}/api/v1/rules/${rule.id}?format=yaml`)).text()
    expect(parseYaml(text)).toEqual({ rules: [rule] })
    const short = `- { id: boat, name: Boat, positives: [a boat] }\n`
    const { body } = await yaml('POST', 'rules/check', short)
    expect(body.faults).toEqual([])
    expect(body.rules).toMatchObject([{ id: 'boat', on: expect.any(Number), cameras: ['*'] }])
  })

  it('are checked, exported and imported from the command line', async () => {
    const file = join(hub.dir, 'rules.yaml')
    const run = async (...args: string[]) => {
      const program = runHub(['rules', ...args, '--hub', hub.url])
      return { code: await program.exit(), text: program.lines.join('\n'), errors: () => program.stderr }
    }
    const { version, rules } = await get('rules')
    expect((await run('export', '--out', file)).code).toBe(0)
    expect(parseYaml(await readFile(file, 'utf8'))).toEqual({ version, rules })
    expect(await run('check', file)).toMatchObject({ code: 0, text: `${rules.length} rules, no faults` })
    expect(await run('import', file)).toMatchObject({
      code: 0,
      text: expect.stringContaining(`version ${version + 1}`),
    })
    const stale = await run('import', file)
    expect([stale.code, stale.errors()]).toEqual([1, expect.stringContaining('RULES_CONFLICT')])
    expect(await run('import', '--force', file)).toMatchObject({ code: 0 })
    await writeFile(file, 'rules:\n  - {id: boat, name: Boat, positives: [], on: 3}\n')
    const bad = await run('check', file)
    expect([bad.code, bad.errors()]).toEqual([
      1,
      expect.stringMatching(/rules\.0\.positives: .*\n.*rules\.0\.on/),
    ])
  })
})

describe('examples', () => {
  it('are uploaded, shown, named by rules and sent along', async () => {
    const bytes = await photo('harbour/06-fireworks')
    const form = new FormData()
    form.append('image', new Blob([new Uint8Array(bytes)]), 'x.jpg')
    const uploaded = await hub.call('/api/v1/rules/examples', { method: 'POST', body: form })
    expect(uploaded).toMatchObject({ status: 201, body: { id: expect.stringMatching(/^ex:[0-9a-f]{32}$/) } })
    const { id, thumbnailUrl } = uploaded.body
    const again = await hub.post('/api/v1/rules/examples', { image: bytes.toString('base64') })
    expect(again.body.id).toBe(id)
    const picture = await fetch(hub.url + thumbnailUrl)
    expect(picture.headers.get('content-type')).toBe('image/jpeg')
    expect([...new Uint8Array(await picture.arrayBuffer()).slice(0, 2)]).toEqual([0xff, 0xd8])

    const rule = { ...boat, id: 'party', positiveExamples: [id], negativeExamples: [frameIdOf(1)] }
    expect((await hub.post('/api/v1/rules', rule)).status).toBe(201)
    const bundle = await retained()
    const party = bundle.rules.find(each => each.id === 'party')!
    expect([party.positiveExamples.length, party.negativeExamples.length]).toEqual([1, 1])
    const { examples } = await get('rules/examples')
    expect(examples).toMatchObject([
      { id: frameIdOf(1), rules: ['party'] },
      { id, rules: ['party'] },
    ])

    // The picture itself is as near as can be; the words alone say boat.
    const withExamples = await scoreOf('party', bytes)
    await put('rules/party', { ...boat, id: 'party' })
    expect(withExamples).toBeGreaterThan(10 * (await scoreOf('party', bytes)))
    await remove('rules/party')
  })

  it('that are no pictures are refused', async () => {
    expect(codeOf(await hub.post('/api/v1/rules/examples', { image: 'AAAA' }))).toEqual([
      422,
      'IMAGE_INVALID',
    ])
    expect((await hub.call('/api/v1/rules/examples/ex%3Anone/thumbnail')).status).toBe(404)
  })
})

describe('learning', () => {
  it('shows what reviewers taught a rule', async () => {
    expect(await get('rules/learning')).toEqual({ enabled: true, rules: [] })
    await hub.sendIncident({ incident: '01JD00000000000000000000AC', rule: 'cat-in-view', bestFrame: 4 })
    await hub.post('/api/v1/review/01JD00000000000000000000AC', { verdict: 'dismiss' })
    await expect
      .poll(async () => (await get('rules/learning')).rules)
      .toMatchObject([
        {
          rule: 'cat-in-view',
          labels: expect.any(Number),
          positives: 0,
          calibration: null,
          head: false,
          eceAfter: null,
        },
      ])
  })
})

describe('the fleet', () => {
  it('shows which rules went where, and keeps the key to itself', async () => {
    const { version, targets } = await get('rules/targets')
    expect(targets).toMatchObject([{ site: 'default', group: 'all', version, warning: null, devices: [] }])
    const { mode } = await stat(join(hub.dir, 'keys/rules-signing.pem'))
    expect(mode & 0o777).toBe(0o600)
  })

  it('finds its rules where they were after a restart, byte for byte, signed with the same key', async () => {
    const before = await retained()
    const key = await get('rules/key')
    await hub.restart()
    expect(await get('rules/key')).toEqual(key)
    expect(await retained()).toEqual(before)
    const metrics = await (await fetch(`${hub.url}/metrics`)).text()
    expect(metrics).toMatch(/sightline_rule_prompts_embedded_total 0/)
    expect(metrics).toMatch(/sightline_rule_prompts_cached_total [1-9]/)
  })
})
