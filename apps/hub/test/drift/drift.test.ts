import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createLog, systemClock } from '@sightline/core'
import { DriftReport } from '@sightline/hub/drift/drift-report.js'
import { stabilityIndex } from '@sightline/hub/drift/drift-stats.js'
import { openLmdbStore } from '@sightline/hub/store/lmdb-store.js'
import { expect, test } from 'vitest'
import { FrameSource } from '../../../../test/support/stored-frames.ts'
import { nearUnit, randomUnit, seededRandom } from '../../../../test/support/vectors.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 0, 20)
const random = seededRandom(3)

test('a camera that was turned stands out, one that stayed does not, and a quiet one is left out', async () => {
  const root = await mkdtemp(join(tmpdir(), 'sightline-drift-'))
  const log = createLog({ name: 'test', level: 'silent' })
  const store = await openLmdbStore({ dir: root, clock: systemClock, log, minFreeBytes: 0 })
  const source = new FrameSource(store)
  const [street, wall] = [randomUnit(32, random), randomUnit(32, random)]
  const frames = Array.from({ length: 300 }, (_, i) => i).flatMap(i => {
    const capturedAt = i < 150 ? NOW - 5 * DAY + i * 1000 : NOW - DAY / 2 + i * 1000
    return [
      { camera: 'still', capturedAt, vector: nearUnit(street, 0.3, random) },
      { camera: 'turned', capturedAt, vector: nearUnit(i < 150 ? street : wall, 0.3, random) },
      ...(i % 10 === 0 ? [{ camera: 'quiet', capturedAt, vector: nearUnit(street, 0.3, random) }] : []),
    ]
  })
  await source.append(frames)
  let now = NOW
  const drift = new DriftReport({
    store,
    model: { fingerprint: 'test:000000000000' },
    clock: { now: () => now },
  })
  const report = await drift.report()
  expect(report).toMatchObject({ at: NOW, scanned: 630, skipped: 1 })
  expect(report.cameras.map(({ camera, level }) => [camera, level])).toEqual([
    ['turned', 'large'],
    ['still', 'none'],
  ])
  const [turned, still] = report.cameras
  expect(still!.meanCosine).toBeGreaterThan(0.98)
  expect(turned!.nearest.recent.median).toBeGreaterThan(3 * turned!.nearest.reference.median)
  expect(still!.norms.recent.max).toBeCloseTo(1, 4)
  expect(await drift.report()).toBe(report)
  now += 11 * 60_000
  expect((await drift.report()).at).toBe(now)
  await drift.stop()
  await store.close()
  await rm(root, { recursive: true })
})

test('the stability index is 0 for the same sample, small for the same source, large for another', () => {
  const draw = (shift: number) => Array.from({ length: 1000 }, () => random() + random() + shift)
  const reference = draw(0)
  expect(stabilityIndex(reference, reference)).toBeCloseTo(0, 9)
  expect(stabilityIndex(reference, draw(0))).toBeLessThan(0.1)
  expect(stabilityIndex(reference, draw(0.5))).toBeGreaterThan(0.25)
})
