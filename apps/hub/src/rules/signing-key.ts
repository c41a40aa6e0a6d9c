import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { chmod, mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { fault, messageOf, signBundle, signingKeyId } from '@sightline/core'

const FILE = 'rules-signing.pem'

/** What a hub vouches for its rules with. */
export interface SigningKey {
  /** Of the public half, see `signingKeyId`. */
  readonly keyId: string
  /** SPKI, for the devices: PEM at enrolment, DER beside every bundle for those that never enrolled. */
  readonly publicKeyPem: string
  readonly publicKeyDer: Uint8Array
  /** Ed25519 over topic and bundle; the same for the same bytes (RFC 8032, 5.1.6). */
  sign(topic: string, bundle: Uint8Array): Uint8Array
}

/**
 * The key in `dir`, made at the first start: PKCS #8 as PEM, readable by its owner alone.
 * @throws RULES_KEY_INVALID when the file is there and holds no Ed25519 key, or cannot be read or written
 */
export async function openSigningKey(dir: string): Promise<SigningKey> {
  const path = join(dir, FILE)
  const key = (await readKey(path)) ?? (await makeKey(dir, path))
  const publicKey = createPublicKey(key)
  return {
    keyId: signingKeyId(key),
    publicKeyPem: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    publicKeyDer: publicKey.export({ format: 'der', type: 'spki' }),
    sign: (topic, bundle) => signBundle(key, topic, bundle),
  }
}

async function readKey(path: string): Promise<KeyObject | undefined> {
  try {
    const key = createPrivateKey(await readFile(path))
    if (key.asymmetricKeyType !== 'ed25519')
      throw fault('RULES_KEY_INVALID', `${path} is ${key.asymmetricKeyType}`)
    // A restored backup, say, may have come with other permissions.
    await chmod(path, 0o600)
    return key
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fault('RULES_KEY_INVALID', `the signing key ${path} cannot be used: ${messageOf(cause)}`, { cause })
  }
}

/** Whole or not at all: half a key would stop the next start. */
async function makeKey(dir: string, path: string): Promise<KeyObject> {
  const { privateKey } = generateKeyPairSync('ed25519')
  const draft = `${path}.tmp`
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const file = await open(draft, 'w', 0o600)
    try {
      await file.writeFile(privateKey.export({ format: 'pem', type: 'pkcs8' }))
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
    const folder = await open(dir, 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  } catch (cause) {
    throw fault('RULES_KEY_INVALID', `the signing key ${path} cannot be written: ${messageOf(cause)}`, {
      cause,
    })
  }
  return privateKey
}
