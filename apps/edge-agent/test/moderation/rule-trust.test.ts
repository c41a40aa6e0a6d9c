import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decode } from '@msgpack/msgpack'
import { encodeMessagePack, rulesTopic } from '@sightline/core'
import { RuleCache } from '@sightline/edge-agent/moderation/rule-cache.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  AXES,
  type BundleParts,
  compiledRule,
  encodeBundle,
  FINGERPRINT,
  RULES_TOPIC,
  SIGNER,
  testSigner,
} from '../support/bundles.ts'
import { quiet } from '../support/quiet.ts'

const SPACE = { fingerprint: FINGERPRINT, dim: 8 }
const PARTS: BundleParts = { vectors: AXES, rules: [compiledRule()], neutral: [7] }
const STRANGER = testSigner()

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'rule-trust-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function opened(trustedKeys: readonly string[] = [], topic = RULES_TOPIC): Promise<RuleCache> {
  const cache = new RuleCache({ dir, space: SPACE, topic, trustedKeys, log: quiet })
  await cache.load()
  return cache
}

/** The same message with parts replaced after it was signed. */
function forged(payload: Uint8Array, change: Record<string, unknown>): Uint8Array {
  return encodeMessagePack({ ...(decode(payload) as object), ...change })
}

describe('an enrolled device', () => {
  it('takes rules that one of its keys signed, and needs no key in the message', async () => {
    const cache = await opened([STRANGER.pem, SIGNER.pem])
    await cache.offer(encodeBundle(PARTS, { withKey: false }))
    expect([cache.version, cache.error]).toEqual([1, undefined])
    await cache.offer(encodeBundle({ ...PARTS, version: 2 }, { signer: STRANGER }))
    expect([cache.version, cache.error]).toEqual([2, undefined])
    // The key that came along is not remembered.
    await expect(stat(join(dir, 'signer.json'))).rejects.toThrow('ENOENT')
  })

  const good = encodeBundle({ ...PARTS, version: 2 })
  const other = encodeBundle({ ...PARTS, version: 9 })
  it.each<[string, Uint8Array, RegExp]>([
    [
      'rules of somebody else',
      encodeBundle({ ...PARTS, version: 2 }, { signer: STRANGER }),
      /trusts [0-9a-f]{16}$/,
    ],
    [
      'rules of somebody else in the name of a trusted key',
      forged(encodeBundle({ ...PARTS, version: 2 }, { signer: STRANGER }), {
        keyId: (decode(good) as { keyId: string }).keyId,
      }),
      /is not of these rules/,
    ],
    [
      'a signature of other rules',
      forged(good, { bundle: (decode(other) as { bundle: Uint8Array }).bundle }),
      /is not of/,
    ],
    ['a signature cut short', forged(good, { signature: new Uint8Array(63) }), /is not of/],
    [
      'rules that were sent to another group',
      encodeBundle({ ...PARTS, version: 2 }, { topic: rulesTopic('site', 'yard', FINGERPRINT) }),
      /is not of these rules for .*\/rules\/all\//,
    ],
  ])('refuses %s, and keeps what it has', async (_name, payload, reason) => {
    const cache = await opened([SIGNER.pem])
    await cache.offer(encodeBundle(PARTS))
    await cache.offer(payload)
    expect(cache.error).toMatch(/^RULES_SIGNATURE_INVALID: /)
    expect(cache.error).toMatch(reason)
    expect(cache.version).toBe(1)
    expect((await opened([SIGNER.pem])).version).toBe(1)
  })

  it('refuses rules without a signature', async () => {
    const cache = await opened([SIGNER.pem])
    await cache.offer((decode(encodeBundle(PARTS)) as { bundle: Uint8Array }).bundle)
    expect(cache.error).toMatch(/^PAYLOAD_INVALID/)
    expect(cache.version).toBe(0)
  })

  it('does without saved rules when their signer is trusted no more, or they were for another group', async () => {
    await (await opened([SIGNER.pem])).offer(encodeBundle(PARTS))
    const saved = await readFile(join(dir, 'rules.bundle'))
    for (const cache of [
      () => opened([STRANGER.pem]),
      () => opened([SIGNER.pem], rulesTopic('site', 'yard', FINGERPRINT)),
    ]) {
      await writeFile(join(dir, 'rules.bundle'), saved)
      const { current, error } = await cache()
      expect(current).toBeUndefined()
      expect(error).toMatch(/^RULES_SIGNATURE_INVALID/)
    }
  })

  it('does not start with something that is no key', async () => {
    for (const key of [
      'no key',
      STRANGER.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString().slice(0, 60),
    ]) {
      await expect(opened([key])).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    }
  })
})

describe('a device without enrolment', () => {
  it('trusts the first signer, remembers it, and no other', async () => {
    const first = await opened()
    await first.offer(encodeBundle(PARTS))
    expect([first.version, first.error]).toEqual([1, undefined])
    const pin = join(dir, 'signer.json')
    expect((await stat(pin)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(pin, 'utf8'))).toMatchObject({ v: 1, publicKey: SIGNER.pem })

    for (const cache of [first, await opened()]) {
      await cache.offer(encodeBundle({ ...PARTS, version: 2 }, { signer: STRANGER }))
      expect(cache.error).toMatch(/^RULES_SIGNATURE_INVALID: signed by .* since it first saw it/)
      expect(cache.version).toBe(1)
    }
    // From now on the message need not carry the key.
    const later = await opened()
    await later.offer(encodeBundle({ ...PARTS, version: 3 }, { withKey: false }))
    expect([later.version, later.error]).toEqual([3, undefined])
  })

  it('remembers nobody whose rules are no good', async () => {
    const cache = await opened()
    await cache.offer(encodeBundle({ ...PARTS, neutral: [99] }, { signer: STRANGER }))
    expect(cache.error).toMatch(/^RULES_INVALID/)
    await cache.offer(encodeBundle(PARTS))
    expect([cache.version, cache.error]).toEqual([1, undefined])
  })

  it('needs the key, and the right one', async () => {
    const cache = await opened()
    await cache.offer(encodeBundle(PARTS, { withKey: false }))
    expect(cache.error).toMatch(/whose public key is not known here/)
    const theirs = decode(encodeBundle(PARTS, { signer: STRANGER })) as { publicKey: Uint8Array }
    await cache.offer(forged(encodeBundle(PARTS), { publicKey: theirs.publicKey }))
    expect(cache.error).toMatch(/the public key that came with the rules is not that of/)
    await cache.offer(forged(encodeBundle(PARTS), { publicKey: new Uint8Array(1025) }))
    expect(cache.error).toMatch(/^PAYLOAD_INVALID.*publicKey/s)
    expect(cache.version).toBe(0)
  })

  it('does not start over when it cannot read whom it trusted', async () => {
    await (await opened()).offer(encodeBundle(PARTS))
    await writeFile(join(dir, 'signer.json'), '{"v":1')
    const cache = await opened()
    await cache.offer(encodeBundle({ ...PARTS, version: 2 }))
    expect(cache.error).toMatch(/^RULES_SIGNATURE_INVALID: .* does not say any more who is trusted/)
    expect(cache.version).toBe(0)
  })
})
