import type { Clock } from '@sightline/core'
import { networkOf } from './network-of.ts'

/** Failures without consequence: a device that was revoked tries again for ever, behind the address of good ones. */
const FREE_FAILURES = 10
/** A failure is forgotten after so long. */
const FORGIVE_MS = 10_000
const MAX_BLOCK_MS = 60_000
const MAX_ADDRESSES = 10_000

interface Failures {
  failures: number
  /** When `failures` was last brought up to date. */
  at: number
  blockedUntil: number
}

/**
 * Shuts out addresses whose log-ins keep failing: from the eleventh failure on for 1 s, 2 s, 4 s … 60 s. It protects the
 * hub's time, not its secrets, which nobody can guess.
 */
export class AuthBackoff {
  readonly #clock: Clock
  readonly #records = new Map<string, Failures>()

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock
  }

  blocked(address: string | undefined): boolean {
    const record = this.#records.get(networkOf(address))
    return record !== undefined && record.blockedUntil > this.#clock.monotonic()
  }

  failed(address: string | undefined): void {
    const key = networkOf(address)
    const now = this.#clock.monotonic()
    const known = this.#records.get(key)
    const forgiven = known === undefined ? 0 : Math.floor((now - known.at) / FORGIVE_MS)
    const failures = Math.max(0, (known?.failures ?? 0) - forgiven) + 1
    const beyond = failures - FREE_FAILURES
    const blockMs = beyond <= 0 ? 0 : Math.min(MAX_BLOCK_MS, 1000 * 2 ** Math.min(beyond - 1, 16))
    // Last in the map is newest, first goes when it is full.
    this.#records.delete(key)
    this.#records.set(key, { failures, at: now, blockedUntil: now + blockMs })
    if (this.#records.size > MAX_ADDRESSES) this.#records.delete(this.#records.keys().next().value!)
  }

  get size(): number {
    return this.#records.size
  }
}
