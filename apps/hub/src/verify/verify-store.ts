import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { dot, fault, messageOf } from '@sightline/core'
import { type Database, open } from 'lmdb'
import type { FrameRow } from '../store/lmdb-tables.ts'
import { frameId } from '../store/record-store.ts'
import { type FaultCount, Faults } from './faults.ts'
import {
  compareIndex,
  type IndexContent,
  type IndexReader,
  type IndexReport,
  readIndex,
} from './index-content.ts'

/** As what is taken in: a norm further from 1 is not what was stored. */
const NORM_TOLERANCE = 1e-3

export interface VerifyReport {
  readonly ok: boolean
  readonly frames: number
  readonly thumbnails: number
  /** Frames by the model that made their vectors. */
  readonly fingerprints: Readonly<Record<string, number>>
  readonly norms: { readonly min: number; readonly max: number } | null
  readonly index: IndexReport
  readonly faults: readonly FaultCount[]
}

/**
 * Looks through a data directory without changing it, also while its hub runs: every vector's norm and length, every table
 * against the others, the index against the store.
 * @throws STORE_FAILED when there is no store
 */
export async function verifyData(dataDir: string, index: IndexReader): Promise<VerifyReport> {
  const path = join(dataDir, 'store')
  if (!existsSync(path)) throw fault('STORE_FAILED', `${dataDir} is not the data directory of a hub`)
  const faults = new Faults()
  const content = await readIndex(index, faults)
  try {
    const root = open({ path, readOnly: true, maxDbs: 64, overlappingSync: false, compression: false })
    try {
      return verify(root, { kind: index.kind, ...content }, faults)
    } finally {
      await root.close()
    }
  } catch (cause) {
    throw fault('STORE_FAILED', `${path} cannot be read: ${messageOf(cause)}`, { cause })
  }
}

function verify(
  root: ReturnType<typeof open>,
  indexed: IndexContent & Pick<IndexReader, 'kind'>,
  faults: Faults,
): VerifyReport {
  const frames = root.openDB<FrameRow, number>('frames', {})
  const vectors = root.openDB<Buffer, number>('vectors', { encoding: 'binary' })
  const thumbnails = root.openDB<Buffer, number>('thumbnails', { encoding: 'binary' })
  const ords = root.openDB<number, string>('ords', {})
  const byCamera = root.openDB<true, [string, number]>('frames-by-camera', {})
  // Not there where no hub that knows tags has opened the store yet; the type does not say so.
  const byTag: Database<true, [string, number]> | undefined = root.openDB('frames-by-tag', {})
  // A hub that runs may add and delete meanwhile: one snapshot for all tables.
  const transaction = root.useReadTransaction()
  const fingerprints: Record<string, number> = {}
  const lengths = new Map<string, number>()
  const ordsOf = new Map<string, number[]>()
  let [count, min, max] = [0, Number.POSITIVE_INFINITY, 0]
  try {
    for (const { key: ord, value: row } of frames.getRange({ transaction })) {
      count++
      const id = frameId(row.site, row.node, row.session, row.seq)
      const { fingerprint } = row
      fingerprints[fingerprint] = (fingerprints[fingerprint] ?? 0) + 1
      const known = ordsOf.get(fingerprint)
      if (known === undefined) ordsOf.set(fingerprint, [ord])
      else known.push(ord)
      const bytes = vectors.get(ord, { transaction })
      if (bytes === undefined) faults.add('vector missing', id)
      else {
        const vector = new Float32Array(new Uint8Array(bytes).buffer)
        const norm = Math.sqrt(dot(vector, vector))
        if (!(Math.abs(norm - 1) <= NORM_TOLERANCE)) faults.add('vector not of unit length', `${id}: ${norm}`)
        const length = lengths.get(fingerprint) ?? vector.length
        lengths.set(fingerprint, length)
        if (vector.length !== length)
          faults.add('vector of another length than its model', `${id}: ${vector.length}`)
        min = Math.min(min, norm)
        max = Math.max(max, norm)
      }
      if (ords.get(id, { transaction }) !== ord) faults.add('id leads elsewhere', id)
      if (byCamera.get([`${row.site}~${row.node}~${row.camera}`, ord], { transaction }) === undefined)
        faults.add('not listed under its camera', id)
      for (const tag of row.tags ?? [])
        if (byTag?.get([tag, ord], { transaction }) === undefined) faults.add('not listed under its tag', id)
      if (row.hasThumbnail && thumbnails.get(ord, { transaction }) === undefined)
        faults.add('thumbnail missing', id)
    }
    for (const ord of vectors.getKeys({ transaction }))
      if (frames.get(ord, { transaction }) === undefined) faults.add('orphan vector', String(ord))
    let pictures = 0
    for (const ord of thumbnails.getKeys({ transaction })) {
      pictures++
      if (!frames.get(ord, { transaction })?.hasThumbnail) faults.add('orphan thumbnail', String(ord))
    }
    for (const { key, value } of ords.getRange({ transaction }))
      if (frames.get(value, { transaction }) === undefined) faults.add('orphan id', key)
    for (const [tag, ord] of byTag?.getKeys({ transaction }) ?? [])
      if (!frames.get(ord, { transaction })?.tags?.includes(tag)) faults.add('orphan tag', `${tag}: ${ord}`)
    const { deleted } = compareIndex(indexed, ordsOf, faults)
    const { kind, segments, ords: inIndex } = indexed
    const found = faults.list()
    const norms = count === 0 ? null : { min, max }
    return {
      ok: found.length === 0,
      frames: count,
      thumbnails: pictures,
      fingerprints,
      norms,
      index: { kind, segments, sealed: inIndex.size, deleted },
      faults: found,
    }
  } finally {
    transaction.done()
  }
}
