import { type FailPoint, fault, isFault, messageOf, noFailPoint } from '@sightline/core'
import type { RootDatabase } from 'lmdb'
import type { DiskGuard } from './disk-guard.ts'

/**
 * Group commit: jobs handed over while a commit is under way, or in the same turn of the event loop, share the next
 * transaction and its flush. Each is a child transaction, so a job that fails is undone alone.
 */
export class Committer {
  readonly #root: RootDatabase
  readonly #guard: DiskGuard
  readonly #failPoint: FailPoint

  constructor({
    root,
    guard,
    failPoint = noFailPoint,
  }: {
    root: RootDatabase
    guard: DiskGuard
    failPoint?: FailPoint | undefined
  }) {
    this.#root = root
    this.#guard = guard
    this.#failPoint = failPoint
  }

  /**
   * Resolves with what the job returned, once that is on disk.
   * @throws STORE_FAILED, or the coded error of the job itself; nothing of the job is then stored
   */
  async run<T>(job: () => T): Promise<T> {
    this.#guard.check()
    let failure: unknown
    try {
      const done = await this.#root.childTransaction(() => {
        try {
          const result = job()
          this.#failPoint('before commit')
          return result
        } catch (error) {
          failure = error
          throw error
        }
      })
      this.#failPoint('after commit')
      return done
    } catch (error) {
      if (isFault(failure)) throw failure
      const cause = failure ?? (await commitFailure(error))
      throw fault('STORE_FAILED', `the store could not write: ${messageOf(cause)}`, { cause })
    }
  }
}

/**
 * A failed commit carries its reason in a promise of its own, rejected in the same turn; left without a handler, that
 * would end the process.
 */
async function commitFailure(error: unknown): Promise<unknown> {
  const reason = (error as { commitError?: Promise<unknown> }).commitError
  if (reason === undefined) return error
  return await reason.catch((known: unknown) => known)
}
