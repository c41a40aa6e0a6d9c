import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { fault } from '@sightline/core'

const derive = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt)

/** OWASP Password Storage Cheat Sheet: N = 2^17, r = 8, p = 1. 128 MiB and some tenths of a second each. */
const COST: ScryptCost = { log2N: 17, r: 8, p: 1 }
const SALT_BYTES = 16
const HASH_BYTES = 32
/** NIST SP 800-63B: length counts, composition rules do not. */
const MIN_LENGTH = 12
const MAX_LENGTH = 256
/** One at a time, because of the memory; so many may wait. */
const MAX_WAITING = 16

export interface ScryptCost {
  /** N = 2^log2N. */
  readonly log2N: number
  readonly r: number
  readonly p: number
}

/** Passwords as `scrypt$log2N$r$p$salt$hash`, the last two in base64url: parameters can change, old hashes go on. */
export class Passwords {
  readonly #cost: ScryptCost
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #nobody: Promise<string> | undefined

  /** @param cost of the hashes that are made; a hash that is there says what its own was */
  constructor(cost: ScryptCost = COST) {
    this.#cost = cost
  }

  /** @throws PASSWORD_WEAK; API_BUSY */
  async hash(password: string, name = ''): Promise<string> {
    checkPassword(password, name)
    return this.#make(password)
  }

  /** Takes as long without a hash as with one, so that nobody learns which users there are. @throws API_BUSY */
  async matches(password: string, hash: string | undefined): Promise<boolean> {
    this.#nobody ??= this.#make(randomBytes(16).toString('hex'))
    const [, log2N, r, p, salt = '', wanted = ''] = (hash ?? (await this.#nobody)).split('$')
    const cost = { log2N: Number(log2N), r: Number(r), p: Number(p) }
    const found = await this.#derive(password.slice(0, MAX_LENGTH), Buffer.from(salt, 'base64url'), cost)
    const same = timingSafeEqual(found, Buffer.from(wanted, 'base64url'))
    return hash !== undefined && same && password.length <= MAX_LENGTH
  }

  async #make(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES)
    const hash = await this.#derive(password, salt, this.#cost)
    const { log2N, r, p } = this.#cost
    return `scrypt$${log2N}$${r}$${p}$${salt.toString('base64url')}$${hash.toString('base64url')}`
  }

  #derive(password: string, salt: Buffer, { log2N, r, p }: ScryptCost): Promise<Buffer> {
    if (this.#waiting >= MAX_WAITING) throw fault('API_BUSY', `${MAX_WAITING} passwords are being checked`)
    this.#waiting++
    const N = 2 ** log2N
    const options = { N, r, p, maxmem: 256 * N * r }
    const job = this.#last.then(() => derive(password.normalize('NFKC'), salt, HASH_BYTES, options))
    this.#last = job.catch(() => {}).then(() => this.#waiting--)
    return job
  }
}

/** @throws PASSWORD_WEAK */
function checkPassword(password: string, name: string): void {
  const length = [...password].length
  if (length < MIN_LENGTH || password.length > MAX_LENGTH)
    throw fault('PASSWORD_WEAK', `a password has ${MIN_LENGTH} to ${MAX_LENGTH} characters`)
  if (name !== '' && password.toLowerCase().includes(name.toLowerCase()) && length < MIN_LENGTH + name.length)
    throw fault('PASSWORD_WEAK', 'a password is more than the name of the user')
  if (new Set(password).size < 5)
    throw fault('PASSWORD_WEAK', 'a password has at least five different characters')
}
