import type { Tables } from './lmdb-tables.ts'
import { frameId, type PictureChange, type StoredPicture } from './record-store.ts'

/** Of frames above `after`, in storage order. */
export function listPictures({ frames, thumbnails }: Tables, after: number, limit: number): StoredPicture[] {
  const found: StoredPicture[] = []
  for (const ord of thumbnails.getKeys({ start: after + 1, limit })) {
    const row = frames.get(ord)
    if (row === undefined) continue
    const { site, node, session, seq, capturedAt, blurred = false } = row
    found.push({ ord, id: frameId(site, node, session, seq), site, capturedAt, blurred })
  }
  return found
}

/** Inside a transaction. */
export function putPictures({ frames, thumbnails }: Tables, changes: readonly PictureChange[]): void {
  for (const { ord, thumbnail } of changes) {
    const row = frames.get(ord)
    if (row === undefined || !thumbnails.doesExist(ord)) continue
    const { blurred: _, ...rest } = row
    if (thumbnail === undefined) {
      thumbnails.remove(ord)
      frames.put(ord, { ...rest, hasThumbnail: false })
    } else {
      thumbnails.put(ord, Buffer.from(thumbnail))
      frames.put(ord, { ...rest, blurred: true })
    }
  }
}
