import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { verifyBundle } from '@sightline/core'
import { openSigningKey } from '@sightline/hub/rules/signing-key.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let dir = ''
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'key-'))
})
afterEach(() => rm(dir, { recursive: true }))

describe('the signing key', () => {
  it('is made at the first start, for its owner alone, and stays', async () => {
    const keys = join(dir, 'keys')
    const key = await openSigningKey(keys)
    const path = join(keys, 'rules-signing.pem')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(keys)).toEqual(['rules-signing.pem'])
    await chmod(path, 0o644)
    const again = await openSigningKey(keys)
    expect(again.keyId).toBe(key.keyId)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const bundle = Uint8Array.of(1, 2, 3)
    const publicKey = createPublicKey(again.publicKeyPem)
    expect(verifyBundle(publicKey, 'a/topic', bundle, key.sign('a/topic', bundle))).toBe(true)
    expect(verifyBundle(publicKey, 'another', bundle, key.sign('a/topic', bundle))).toBe(false)
    expect(again.sign('a/topic', bundle)).toEqual(key.sign('a/topic', bundle))
  })

  it.each([
    ['no key', 'nonsense'],
    [
      'a key of another kind',
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' }),
    ],
  ])('is refused when the file holds %s', async (_what, text) => {
    await writeFile(join(dir, 'rules-signing.pem'), text)
    await expect(openSigningKey(dir)).rejects.toMatchObject({ code: 'RULES_KEY_INVALID' })
  })
})
