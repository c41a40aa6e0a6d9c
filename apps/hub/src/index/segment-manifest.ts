import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { conforms, fault, messageOf } from '@sightline/core'
import { type Static, Type } from 'typebox'
import { sha256, writeDurablyAsync } from './segment-file.ts'

const Count = Type.Integer({ minimum: 0 })
const Rows = Type.Integer({ minimum: 1, maximum: 2 ** 31 })
const FileSum = Type.Object({ bytes: Count, sha256: Type.String() }, { additionalProperties: false })
export type FileSum = Static<typeof FileSum>

/** A sealed segment. */
export const SegmentMeta = Type.Object(
  {
    id: Count,
    /** It holds what is left of the ords above `after`, up to `upTo`. */
    after: Count,
    upTo: Count,
    capturedFrom: Type.Number(),
    capturedTo: Type.Number({ description: 'Newest time, included.' }),
    entry: Count,
    maxLevel: Count,
    /** Sizes that lay out the image, see `SegmentShape`. */
    shape: Type.Object(
      {
        dim: Rows,
        count: Rows,
        sources: Count,
        labels: Count,
        upperNodes: Count,
        upperWords: Count,
      },
      { additionalProperties: false },
    ),
    image: FileSum,
    rows: FileSum,
  },
  { additionalProperties: false },
)
export type SegmentMeta = Static<typeof SegmentMeta>

/** All that is sealed. One small file, replaced as a whole: a merge has happened or has not. */
export const Manifest = Type.Object(
  {
    v: Type.Literal(2),
    fingerprint: Type.String(),
    generation: Type.String(),
    dim: Rows,
    /** Ords up to here are sealed or removed. */
    sealedUpTo: Count,
    nextId: Count,
    /** Ascending by ords, which do not overlap. */
    segments: Type.Array(SegmentMeta),
  },
  { additionalProperties: false },
)
export type Manifest = Static<typeof Manifest>

const ManifestFile = Type.Object({ manifest: Manifest, sha256: Type.String() })

const manifestPath = (dir: string) => join(dir, 'segments.json')

/** Undefined when there is none. @throws INDEX_DAMAGED */
export function readManifest(dir: string): Manifest | undefined {
  const path = manifestPath(dir)
  let file: unknown
  try {
    file = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw fault('INDEX_DAMAGED', `${path}: ${messageOf(cause)}`, { cause })
  }
  if (!conforms(ManifestFile, file) || file.sha256 !== sha256(Buffer.from(JSON.stringify(file.manifest))))
    throw fault('INDEX_DAMAGED', `${path} is not a list of segments or was altered`)
  return file.manifest
}

/** Durable when it resolves. */
export async function writeManifest(dir: string, manifest: Manifest): Promise<void> {
  const sum = sha256(Buffer.from(JSON.stringify(manifest)))
  await writeDurablyAsync(manifestPath(dir), Buffer.from(JSON.stringify({ manifest, sha256: sum })))
}
