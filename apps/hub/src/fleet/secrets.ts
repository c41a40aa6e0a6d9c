import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 random bits as base64url, 43 characters: for credentials and enrolment tokens. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * SHA-256, hex. Slow hashes (scrypt, argon2) protect words that people choose; 256 random bits cannot be guessed at any
 * speed, and a fleet that reconnects at once must not cost the hub minutes of hashing.
 */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Of two hashes, in constant time. */
export function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
