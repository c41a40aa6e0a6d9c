import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

/** Keeps a signature of rules from meaning anything else. */
const DOMAIN = 'sightline rules v1\n'

/** Names a public key: first 8 bytes of the SHA-256 of its SPKI encoding, hex. */
export function signingKeyId(key: KeyObject): string {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' })
  return createHash('sha256').update(spki).digest('hex').slice(0, 16)
}

/** Ed25519 (RFC 8032) over a bundle and the topic that it is for. */
export function signBundle(key: KeyObject, topic: string, bundle: Uint8Array): Uint8Array {
  return sign(null, signedText(topic, bundle), key)
}

export function verifyBundle(
  key: KeyObject,
  topic: string,
  bundle: Uint8Array,
  signature: Uint8Array,
): boolean {
  return key.asymmetricKeyType === 'ed25519' && verify(null, signedText(topic, bundle), key, signature)
}

function signedText(topic: string, bundle: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${DOMAIN}${topic}\n`), bundle])
}
