import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** The folder with photos/ and parity/, or undefined; docs/models.md says what it holds. */
export const testData = process.env.SIGHTLINE_TEST_DATA

/** A path below the folder, or undefined with a printed line when it is not there. */
export function dataPath(...parts: string[]): string | undefined {
  const path = testData === undefined ? undefined : join(testData, ...parts)
  if (path !== undefined && existsSync(path)) return path
  process.stderr.write(`skipped: ${parts.join('/')} is not below SIGHTLINE_TEST_DATA\n`)
  return undefined
}

export function meanAbs(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += Math.abs(a[i]! - b[i]!)
  return sum / a.length
}
