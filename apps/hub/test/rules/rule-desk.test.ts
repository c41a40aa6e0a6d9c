import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, decodeMessagePack, dot, RuleBundle, systemClock } from '@sightline/core'
import { compileRules, NEUTRAL_PROMPTS } from '@sightline/hub/rules/compile.js'
import { RuleDesk, type RuleDeskOptions, type RuleMessage } from '@sightline/hub/rules/rule-desk.js'
import { starterRules } from '@sightline/hub/rules/starter-rules.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import type { RecordStore } from '@sightline/hub/store/record-store.js'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

const DIM = 16
const FINGERPRINT = 'test:000000000000'
const log = createLog({ name: 'test', level: 'silent' })

/** A text's vector follows from its letters. */
const vectorOf = (text: string) =>
  randomUnit(
    DIM,
    seededRandom([...text].reduce((hash, char) => (Math.imul(hash, 31) + char.charCodeAt(0)) | 0, 7)),
  )

let embedded: string[] = []
const model = {
  fingerprint: FINGERPRINT,
  dim: DIM,
  manifest: { name: 'test', logitScale: 16, cannot: ['knife'] },
  encodeTexts: async (texts: readonly string[]) => {
    embedded.push(...texts)
    return texts.map(vectorOf)
  },
} as unknown as RuleDeskOptions['model']

let root: string
let store: RecordStore
let sent: RuleMessage[]
let now = 1000
const clock = { ...systemClock, now: () => now }

const deskWith = (options: Partial<RuleDeskOptions> = {}) =>
  new RuleDesk({
    store,
    model,
    publish: async message => void sent.push(message),
    log,
    sites: ['default'],
    clock,
    ...options,
  })
const bundleOf = (message: RuleMessage) => decodeMessagePack(RuleBundle, message.payload)
const topic = (site: string) => `sightline/v1/${site}/rules/all/${FINGERPRINT}`
const cat = { id: 'cat', name: 'Cat', positives: ['a cat'] }

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'sightline-rules-'))
  store = await openLmdbStore({ dir: root, clock: systemClock, log, minFreeBytes: 0 })
  sent = []
  embedded = []
  now = 1000
})
afterEach(async () => {
  await store.close()
  await rm(root, { recursive: true })
})

test('the first start seeds the starter rules and publishes them, retained, to every site', async () => {
  await store.updateNode('north', 'node', { seenAt: 1 })
  const desk = deskWith()
  await desk.start()
  expect(desk.get()).toEqual({ version: 1, updatedAt: 1000, rules: starterRules() })
  expect(sent.map(message => message.topic).sort()).toEqual([topic('default'), topic('north')].sort())
  expect(sent.every(({ qos, retain }) => qos === 1 && retain)).toBe(true)
  expect(bundleOf(sent[0]!)).toMatchObject({ version: 1, issuedAt: 1000, fingerprint: FINGERPRINT, dim: DIM })
  await desk.stop()
})

test('a restart keeps the rules and sends the same bytes', async () => {
  await deskWith().start()
  now = 9000
  await deskWith().start()
  expect(Buffer.from(sent[1]!.payload)).toEqual(Buffer.from(sent[0]!.payload))
})

test('a change is checked, numbered, stored, compiled and sent', async () => {
  const desk = deskWith()
  await desk.start()
  now = 2000
  const document = await desk.put([cat, { ...cat, id: 'off', enabled: false }], 1)
  expect(document).toMatchObject({ version: 2, updatedAt: 2000 })
  expect(document.rules).toHaveLength(2)
  expect(store.rules()).toEqual(document)
  expect(bundleOf(sent.at(-1)!)).toMatchObject({ version: 2, rules: [{ id: 'cat' }] })
})

test('a change made from another version is refused, and so is a faulty one; nothing changes', async () => {
  const desk = deskWith()
  await desk.start()
  await desk.put([cat], 1)
  await expect(desk.put([cat], 1)).rejects.toMatchObject({
    code: 'RULES_CONFLICT',
    status: 409,
    details: { version: 2 },
  })
  await expect(desk.put([{ ...cat, off: 1, on: 0.5 }])).rejects.toMatchObject({
    code: 'RULES_INVALID',
    details: { faults: [{ path: 'rules.0.off' }] },
  })
  expect(desk.get().version).toBe(2)
  expect(sent).toHaveLength(2)
  expect((await desk.put([cat])).version).toBe(3)
})

test('of two changes at once from the same version one wins', async () => {
  const desk = deskWith()
  await desk.start()
  const both = await Promise.allSettled([desk.put([cat], 1), desk.put([{ ...cat, id: 'dog' }], 1)])
  expect(both.map(one => one.status)).toEqual(['fulfilled', 'rejected'])
  expect(desk.get()).toMatchObject({ version: 2, rules: [{ id: 'cat' }] })
})

test('a new site gets the rules once', async () => {
  const desk = deskWith()
  await desk.start()
  await desk.addSite('south')
  await desk.addSite('south')
  await desk.addSite('default')
  expect(sent.map(message => message.topic)).toEqual([topic('default'), topic('south')])
})

test('a bundle that cannot be sent is in force all the same', async () => {
  const desk = deskWith({ publish: () => Promise.reject(new RangeError('no broker')) })
  await desk.start()
  expect((await desk.put([cat], 1)).version).toBe(2)
  expect(store.rules()!.version).toBe(2)
})

test('prompts that the model cannot do are warned of', async () => {
  const desk = deskWith()
  await desk.start()
  expect(desk.warnings()).toEqual([])
  await desk.put([{ ...cat, positives: ['a knife'] }])
  expect(desk.warnings()).toEqual([{ rule: 'cat', message: expect.stringContaining('knife') }])
})

test('a row is the normalised mean of the template texts; equal prompts are one row', async () => {
  const templates = ['{}', 'a photo of {}']
  const rules = [
    { ...starterRules()[0]!, templates, positives: ['a cat', 'a $& cat'], negatives: ['a dog'] },
    { ...starterRules()[1]!, templates, positives: ['a dog'], negatives: ['a photo'] },
  ]
  const bundle = await compileRules({ version: 3, updatedAt: 5, rules }, model)
  const vectors = new Float32Array(bundle.vectors.slice().buffer)
  const row = (at: number) => vectors.subarray(at * DIM, (at + 1) * DIM)
  const [first, second] = bundle.rules
  expect(first!.negatives).toEqual(second!.positives)
  expect(bundle.neutral).toEqual(NEUTRAL_PROMPTS.map((_, i) => i))
  // "a photo" with templates is another prompt than the neutral one.
  expect(bundle.neutral).not.toContain(second!.negatives[0])
  expect(vectors).toHaveLength(DIM * (NEUTRAL_PROMPTS.length + 4))
  const [plain, photo] = ['a $& cat', 'a photo of a $& cat'].map(vectorOf) as [Float32Array, Float32Array]
  const mean = plain.map((value, i) => value + photo[i]!)
  expect(dot(row(first!.positives[1]!), mean) / Math.sqrt(dot(mean, mean))).toBeCloseTo(1, 6)
  expect(new Set(embedded).size).toBe(embedded.length)
})
