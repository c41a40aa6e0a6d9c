import { createPublicKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { decodeMessagePack, fault, type Log, SignedRules, signingKeyId, verifyBundle } from '@sightline/core'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { writeDurably } from '../durable-file.ts'

const Pin = Type.Object({ v: Type.Literal(1), keyId: Type.String(), publicKey: Type.String() })

/** Public half of a key that signs rules. */
interface Signer {
  readonly keyId: string
  readonly key: KeyObject
}

export interface VerifiedRules {
  /** MessagePack of a `RuleBundle`, not decoded yet. */
  readonly bundle: Uint8Array
  readonly signer: Signer
}

export interface RuleTrustOptions {
  /** Where the first signer is remembered. */
  readonly path: string
  /** The bundle counts only where it was sent. */
  readonly topic: string
  /** Ed25519 public keys, PEM (SPKI), as enrolment gives them. None: the first signer seen is trusted, and no other. */
  readonly trustedKeys: readonly string[]
  readonly log: Log
}

/** Whose rules this device obeys. */
export class RuleTrust {
  readonly #path: string
  #topic: string
  readonly #log: Log
  readonly #trusted: ReadonlyMap<string, Signer>
  #pinned: Signer | undefined
  #lost = false

  /** @throws CONFIG_INVALID when a trusted key is no Ed25519 public key */
  constructor({ path, topic, trustedKeys, log }: RuleTrustOptions) {
    this.#path = path
    this.#topic = topic
    this.#log = log
    this.#trusted = new Map(trustedKeys.map(trustedSigner).map(signer => [signer.keyId, signer]))
  }

  /** Bundles count where this topic is now. */
  moveTo(topic: string): void {
    this.#topic = topic
  }

  /** @throws STORE_FAILED */
  async load(): Promise<void> {
    if (this.#trusted.size > 0) return
    const text = await readFile(this.#path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      throw fault('STORE_FAILED', `cannot read ${this.#path}: ${error.message}`, { cause: error })
    })
    if (text === undefined) return
    this.#pinned = parsePin(text)
    // Forgetting whom it trusted would let anyone in: it trusts nobody then, until a person has looked.
    this.#lost = this.#pinned === undefined
    if (this.#lost) this.#log.error({ path: this.#path }, 'trusted signer of rules not readable')
  }

  /** @throws PAYLOAD_INVALID when it is no `SignedRules`; RULES_SIGNATURE_INVALID when nobody trusted signed it */
  verify(payload: Uint8Array): VerifiedRules {
    const signed = decodeMessagePack(SignedRules, payload)
    const signer = this.#signerOf(signed)
    if (!verifyBundle(signer.key, this.#topic, signed.bundle, signed.signature)) {
      throw refused(`the signature by ${signer.keyId} is not of these rules for ${this.#topic}`)
    }
    return { bundle: signed.bundle, signer }
  }

  /** Remembers a signer whose rules were found good, unless it is known already. */
  async adopt({ keyId, key }: Signer): Promise<void> {
    if (this.#trusted.size > 0 || this.#pinned !== undefined) return
    const publicKey = key.export({ format: 'pem', type: 'spki' })
    const pin = Buffer.from(`${JSON.stringify({ v: 1, keyId, publicKey })}\n`)
    await writeDurably(this.#path, pin, 0o600)
    this.#pinned = { keyId, key }
    this.#log.warn({ keyId }, 'not enrolled: the first signer of rules is trusted from now on, and no other')
  }

  #signerOf({ keyId, publicKey }: SignedRules): Signer {
    const known = this.#trusted.size > 0 ? this.#trusted.get(keyId) : this.#pinned
    if (known?.keyId === keyId) return known
    if (this.#trusted.size > 0) {
      throw refused(`signed by ${keyId}; this device trusts ${[...this.#trusted.keys()].join(', ')}`)
    }
    if (known !== undefined)
      throw refused(`signed by ${keyId}; this device trusts ${known.keyId} since it first saw it`)
    if (this.#lost) throw refused(`signed by ${keyId}; ${this.#path} does not say any more who is trusted`)
    if (publicKey === undefined) throw refused(`signed by ${keyId}, whose public key is not known here`)
    const key = ed25519Key({ key: Buffer.from(publicKey), format: 'der', type: 'spki' })
    if (key === undefined || signingKeyId(key) !== keyId) {
      throw refused(`the public key that came with the rules is not that of ${keyId}`)
    }
    return { keyId, key }
  }
}

function parsePin(text: string): Signer | undefined {
  let pin: unknown
  try {
    pin = JSON.parse(text)
  } catch {
    return undefined
  }
  const key = Value.Check(Pin, pin) ? ed25519Key(pin.publicKey) : undefined
  return key === undefined ? undefined : { keyId: signingKeyId(key), key }
}

function trustedSigner(pem: string): Signer {
  const key = ed25519Key(pem)
  if (key === undefined)
    throw fault('CONFIG_INVALID', 'a key that may sign rules is no Ed25519 public key in PEM')
  return { keyId: signingKeyId(key), key }
}

function ed25519Key(source: Parameters<typeof createPublicKey>[0]): KeyObject | undefined {
  try {
    const key = createPublicKey(source)
    return key.asymmetricKeyType === 'ed25519' ? key : undefined
  } catch {
    return undefined
  }
}

function refused(reason: string) {
  return fault('RULES_SIGNATURE_INVALID', reason)
}
