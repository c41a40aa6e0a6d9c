import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { DIM, ENTRIES, rewrite, SEAL_AT, SegmentDirectory, segmentFiles } from './segment-directory.ts'

const at = SegmentDirectory.inEachTest()

describe('what was sealed', () => {
  let sealed: string
  beforeAll(async () => {
    sealed = await mkdtemp(join(tmpdir(), 'sightline-sealed-'))
    at.dir = sealed
    await at.open()
    await at.fill()
    expect(at.index.stats()).toMatchObject({ vectors: ENTRIES.length, tail: 200, segments: 3 })
    await at.index.close()
  })
  afterAll(() => rm(sealed, { recursive: true }))
  beforeEach(() => cpSync(sealed, at.dir, { recursive: true }))

  test('is found again', async () => {
    await at.open()
    expect(at.index.lastOrd).toBe(3 * SEAL_AT)
    expect(at.index.stats()).toMatchObject({ vectors: 3 * SEAL_AT, tail: 0, segments: 3 })
    await at.fill()
    await at.expectComplete()
    expect(at.damageLogged()).toBe(false)
  })

  const DAMAGES: readonly [string, (path: string) => void][] = [
    ['a flipped byte', path => rewrite(path, bytes => (bytes[bytes.length >> 1]! ^= 1))],
    [
      'a zeroed page',
      path => rewrite(path, bytes => bytes.subarray(bytes.length >> 1, (bytes.length >> 1) + 4096).fill(0)),
    ],
    ['a random page', path => rewrite(path, bytes => bytes.subarray(96, 4192).fill(0xa7))],
    ['a missing end', path => truncateSync(path, Math.floor(readFileSync(path).length * 0.7))],
    ['no content', path => truncateSync(path, 0)],
    ['no file', path => rmSync(path)],
  ]
  test.each(
    ['image', 'rows'].flatMap(part => DAMAGES.map(([name, damage]) => [name, part, damage] as const)),
  )('%s in %s: that segment and the later ones are dropped and rebuilt', async (_name, part, damage) => {
    damage(at.file(2, part))
    await at.open()
    expect(at.damageLogged()).toBe(true)
    expect(at.index.lastOrd).toBe(SEAL_AT)
    expect(at.files()).toEqual([...segmentFiles(1), 'segments.json'])
    await at.fill()
    await at.expectComplete()
    await at.index.close()
    await at.open()
    expect(at.index.lastOrd).toBe(3 * SEAL_AT)
  })

  test.each(DAMAGES)('%s in the list of segments: all are rebuilt', async (_name, damage) => {
    damage(join(at.dir, 'segments.json'))
    await at.open()
    expect(at.index.lastOrd).toBe(0)
    await at.fill()
    await at.expectComplete()
  })

  test.each([
    ['another model', { fingerprint: 'b:0' }],
    ['another numbering of sources', { generation: 'new' }],
    ['another length', { dim: 2 * DIM }],
  ])('is discarded for %s', async (_why, options) => {
    await at.open(options)
    expect(at.index.lastOrd).toBe(0)
    expect(at.files()).toEqual(['segments.json'])
    expect(at.damageLogged()).toBe(false)
  })

  test('is not mixed with what a killed process left unfinished', async () => {
    writeFileSync(at.file(4, 'rows.tmp'), 'half')
    writeFileSync(at.file(4, 'rows'), 'half')
    await at.open()
    expect(at.index.lastOrd).toBe(3 * SEAL_AT)
    expect(at.files()).toEqual([...segmentFiles(1, 2, 3), 'segments.json'])
  })
})
