import { readFileSync } from 'node:fs'
import { fault, messageOf } from '@sightline/core/errors.js'

const BLOCK = 512

export interface Photo {
  readonly file: string
  readonly jpeg: Buffer
  /** Captions, or the one label phrase. */
  readonly captions: string[]
  /** The photo's name at its source: split lists and class folders go by it. */
  original: string
}

/**
 * Reads a tar of `NNNNN.jpg` files and one `captions.tsv` (file, caption or label, original name), by file name.
 * @throws EVAL_DATA_MISSING
 */
export function readPhotoSet(tarPath: string): Photo[] {
  const photos = new Map<string, Photo>()
  let captions = ''
  for (const { name, bytes } of tarEntries(readData(tarPath))) {
    const file = name.slice(name.lastIndexOf('/') + 1)
    if (file === 'captions.tsv') captions = bytes.toString('utf8')
    else if (file.endsWith('.jpg')) photos.set(file, { file, jpeg: bytes, captions: [], original: '' })
  }
  for (const line of captions.split('\n')) {
    const [file = '', caption = '', original = ''] = line.split('\t')
    const photo = photos.get(file)
    if (photo === undefined) continue
    photo.captions.push(caption.trim().replace(/\s+/g, ' '))
    photo.original = original.trim()
  }
  return [...photos.values()].sort((a, b) => (a.file < b.file ? -1 : 1))
}

/** @throws EVAL_DATA_MISSING */
export function readData(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw fault('EVAL_DATA_MISSING', `cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
}

/** Regular files of a POSIX ustar archive (IEEE Std 1003.1, pax: "ustar Interchange Format"). */
function* tarEntries(archive: Buffer): Generator<{ name: string; bytes: Buffer }> {
  let at = 0
  while (at + BLOCK <= archive.length && archive[at] !== 0) {
    const field = (offset: number, length: number) =>
      archive.toString('latin1', at + offset, at + offset + length).replace(/\0.*$/s, '')
    const size = Number.parseInt(field(124, 12), 8)
    const typeFlag = field(156, 1)
    const start = at + BLOCK
    if (typeFlag === '0' || typeFlag === '') {
      yield { name: field(0, 100), bytes: archive.subarray(start, start + size) }
    }
    at = start + Math.ceil(size / BLOCK) * BLOCK
  }
}
