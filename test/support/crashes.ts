import { FAIL_POINT_VARIABLE, fault } from '@sightline/core'
import type { Program } from './processes.ts'

/** A point that is not reached in this time is replaced by a kill at random. */
const MAX_LIFE_MS = 15_000

/** Where a program dies: at a fail point after at most so many passes, or, with none, at random. */
export interface CrashPoint {
  readonly name: string
  readonly passes: number
}

/** Environment of a program that is to die at the point. */
export function crashing({ name, passes }: CrashPoint, random: () => number): Record<string, string> {
  return passes === 0 ? {} : { [FAIL_POINT_VARIABLE]: `${name}:${1 + Math.floor(random() * passes)}` }
}

/**
 * Waits for a program to die at its point, and kills it after `limitMs` otherwise.
 * @returns where it died
 * @throws INTERNAL when it ended in another way than by SIGKILL
 */
export async function deathOf(
  program: Program,
  { name, passes }: CrashPoint,
  limitMs = MAX_LIFE_MS,
): Promise<string> {
  let late = passes === 0
  const timer = setTimeout(() => {
    late = true
    void program.kill()
  }, limitMs)
  await program.exit()
  clearTimeout(timer)
  if (!program.killed) throw fault('INTERNAL', `it ended by itself, not at "${name}": ${program.stderr}`)
  return late ? 'at random' : name
}

/** Counts where programs died. */
export class Crashes {
  total = 0
  readonly #counts = new Map<string, number>()

  add(where: string): void {
    this.total++
    this.#counts.set(where, (this.#counts.get(where) ?? 0) + 1)
  }

  toString(): string {
    return [...this.#counts].map(([where, count]) => `${count} ${where}`).join(', ')
  }
}
