import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { answersContract } from './answers.ts'
import { filterContract } from './filters.ts'
import { lifeContract } from './life.ts'
import { recallContract } from './recall.ts'
import { DIM, type Implementation, type Subject } from './subject.ts'

/** All that `VectorIndex` promises, asked of one implementation. */
export function vectorIndexContract(implementation: Implementation): void {
  const { name, missing, open, start, stop, isExact = false } = implementation
  if (missing !== undefined) process.stdout.write(`skipped: VectorIndex in ${name}: ${missing}\n`)
  describe.skipIf(missing !== undefined)(`VectorIndex: ${name}`, () => {
    let root: string
    let opened = 0
    beforeAll(async () => {
      root = await mkdtemp(join(tmpdir(), 'sightline-index-'))
      await start?.()
    })
    afterAll(async () => {
      await stop?.()
      await rm(root, { recursive: true })
    })
    const subject: Subject = {
      isExact,
      fresh: () => open(join(root, String(opened++)), DIM),
      open: kept => open(join(root, kept), DIM),
    }
    answersContract(subject)
    recallContract(subject)
    filterContract(subject)
    lifeContract(subject)
  })
}
