import { fault, vectorToBytes } from '@sightline/core'
import type { FrameRow, Tables } from './lmdb-tables.ts'
import { type Delivery, type EmbeddedFrame, type Frame, frameId, type NewFrame } from './record-store.ts'
import { moveTags } from './tag-rows.ts'

/** Frames that a scan reads at a time. */
const PAGE_FRAMES = 256

/** Inside a transaction: the frame under its new number, with every table that leads to it. */
export function putFrame(tables: Tables, ord: number, delivery: Delivery, frame: NewFrame): EmbeddedFrame {
  const { site, node, session, receivedAt, historical, fingerprint } = delivery
  const { seq, camera, capturedAt, verdicts, vector, thumbnail, blurred, tags = [] } = frame
  const row: FrameRow = {
    site,
    node,
    camera,
    session,
    seq,
    capturedAt,
    receivedAt,
    historical,
    fingerprint,
    verdicts,
    hasThumbnail: thumbnail !== undefined,
    ...(thumbnail !== undefined && blurred === true ? { blurred } : {}),
    ...(tags.length === 0 ? {} : { tags: [...new Set(tags)].sort() }),
  }
  const source = `${site}~${node}~${camera}`
  tables.frames.put(ord, row)
  tables.vectors.put(ord, Buffer.from(vectorToBytes(vector).buffer))
  if (thumbnail !== undefined) tables.thumbnails.put(ord, Buffer.from(thumbnail))
  tables.ords.put(frameId(site, node, session, seq), ord)
  if (!tables.cameras.doesExist(source)) tables.cameras.put(source, true)
  tables.byCamera.put([source, ord], true)
  moveTags(tables, ord, [], row.tags ?? [])
  return { ...listedFrame(ord, row), vector }
}

export function listedFrame(ord: number, row: FrameRow): Frame {
  return { ord, id: frameId(row.site, row.node, row.session, row.seq), ...row }
}

/** @throws STORE_FAILED when the vector is gone */
export function embeddedFrame(tables: Tables, ord: number, row: FrameRow): EmbeddedFrame {
  const bytes = tables.vectors.get(ord)
  if (bytes === undefined) throw fault('STORE_FAILED', `frame ${ord} has no vector`)
  return { ...listedFrame(ord, row), vector: new Float32Array(new Uint8Array(bytes).buffer) }
}

/** Read page by page: an open range would pin its snapshot, and with it free pages, for as long as the reader idles. */
export function* scanFrames(tables: Tables, after: number): Generator<EmbeddedFrame> {
  for (let last = after; ; ) {
    const page = [...tables.frames.getRange({ start: last + 1, limit: PAGE_FRAMES })]
    for (const { key, value } of page) yield embeddedFrame(tables, key, value)
    if (page.length < PAGE_FRAMES) return
    last = page.at(-1)!.key
  }
}
