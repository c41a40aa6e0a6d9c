import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import {
  type CompiledRule,
  encodeMessagePack,
  type RuleBundle,
  rulesTopic,
  signBundle,
  signingKeyId,
} from '@sightline/core'

export { compiledRule } from '../../../../test/support/compiled-rule.ts'
export { seededRandom as seeded } from '../../../../test/support/vectors.ts'

export const FINGERPRINT = 'test-model:0123456789ab'
export const RULES_TOPIC = rulesTopic('site', 'all', FINGERPRINT)

export interface TestSigner {
  readonly privateKey: KeyObject
  /** SPKI. */
  readonly pem: string
}

export function testSigner(): TestSigner {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return { privateKey, pem: publicKey.export({ format: 'pem', type: 'spki' }).toString() }
}

export const SIGNER = testSigner()

export interface Signing {
  readonly signer?: TestSigner
  readonly topic?: string
  readonly withKey?: boolean
}

/** Any bytes as `SignedRules`. */
export function signed(bundle: Uint8Array, options: Signing = {}): Uint8Array {
  const { signer = SIGNER, topic = RULES_TOPIC, withKey = true } = options
  const publicKey = createPublicKey(signer.privateKey)
  return encodeMessagePack({
    v: 1,
    keyId: signingKeyId(publicKey),
    signature: signBundle(signer.privateKey, topic, bundle),
    ...(withKey && { publicKey: publicKey.export({ format: 'der', type: 'spki' }) }),
    bundle,
  })
}

export function unit(values: readonly number[]): Float32Array {
  const norm = Math.hypot(...values)
  return Float32Array.from(values, value => value / norm)
}

/** Uniform on the sphere, or near `centre`. */
export function randomUnit(
  random: () => number,
  dim: number,
  centre?: Float32Array,
  spread = 0.5,
): Float32Array {
  const gaussian = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return unit(
    Array.from({ length: dim }, (_, i) =>
      centre === undefined ? gaussian() : centre[i]! + (gaussian() * spread) / Math.sqrt(dim),
    ),
  )
}

export interface BundleParts {
  readonly vectors: readonly Float32Array[]
  readonly rules: readonly CompiledRule[]
  readonly neutral?: readonly number[]
  readonly version?: number
  readonly issuedAt?: number
  readonly fingerprint?: string
  readonly logitScale?: number
}

export function bundleOf(parts: BundleParts): RuleBundle {
  const { vectors, rules, neutral = [], version = 1, fingerprint = FINGERPRINT, logitScale = 20 } = parts
  return {
    v: 1,
    version,
    issuedAt: parts.issuedAt ?? 1_700_000_000_000,
    fingerprint,
    dim: vectors[0]!.length,
    logitScale,
    rules: [...rules],
    neutral: [...neutral],
    vectors: new Uint8Array(Buffer.concat(vectors.map(vector => Buffer.from(vector.buffer)))),
  }
}

/** As it lies on the rules topic. */
export function encodeBundle(parts: BundleParts, signing?: Signing): Uint8Array {
  return signed(encodeMessagePack(bundleOf(parts)), signing)
}

/** Eight axes of an 8-dimensional space. */
export const AXES = Array.from({ length: 8 }, (_, axis) =>
  unit(Array.from({ length: 8 }, (_, i) => Number(i === axis))),
)
