import { readdirSync, readFileSync } from 'node:fs'
import { conforms, fault, messageOf } from '@sightline/core'
import { type Static, Type } from 'typebox'
import { segmentPath, sha256 } from './segment-file.ts'

const Count = Type.Integer({ minimum: 0 })
const FileSum = Type.Object({ bytes: Count, sha256: Type.String() }, { additionalProperties: false })
export type FileSum = Static<typeof FileSum>

/** A sealed segment, as its header describes it. The header is written last: without it the segment does not exist. */
export const SegmentHeader = Type.Object(
  {
    v: Type.Literal(1),
    fingerprint: Type.String(),
    generation: Type.String(),
    dim: Type.Integer({ minimum: 1 }),
    count: Type.Integer({ minimum: 1 }),
    /** Newest ord of the segment before this one, 0 for the first: a chain, in which a missing link shows. */
    after: Count,
    lastOrd: Count,
    capturedFrom: Type.Number(),
    capturedTo: Type.Number({ description: 'Newest time, included.' }),
    graph: FileSum,
    rows: FileSum,
  },
  { additionalProperties: false },
)
export type SegmentHeader = Static<typeof SegmentHeader>

const HeaderFile = Type.Object({ header: SegmentHeader, sha256: Type.String() })

/** Headers of the segments in `dir` that are whole and chained; what is unreadable or follows a gap is left out. */
export function readChain(dir: string, damaged: (reason: string) => void): SegmentHeader[] {
  const chain: SegmentHeader[] = []
  const found = new Set(
    readdirSync(dir)
      .map(name => /^segment-(\d{16})\.\w+$/.exec(name)?.[1])
      .filter(text => text !== undefined)
      .map(Number),
  )
  for (let after = 0; found.delete(after); after = chain.at(-1)!.lastOrd) {
    try {
      chain.push(readHeader(dir, after))
    } catch (error) {
      damaged(messageOf(error))
      return chain
    }
  }
  if (found.size > 0) damaged(`no segment follows ord ${chain.at(-1)?.lastOrd ?? 0}, though later ones exist`)
  return chain
}

function readHeader(dir: string, after: number): SegmentHeader {
  const path = segmentPath(dir, after, 'json')
  let file: unknown
  try {
    file = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw fault('INDEX_DAMAGED', `${path}: ${messageOf(cause)}`, { cause })
  }
  if (!conforms(HeaderFile, file) || file.sha256 !== sha256(Buffer.from(JSON.stringify(file.header))))
    throw fault('INDEX_DAMAGED', `${path} is not a segment header or was altered`)
  const { header } = file
  if (header.after !== after || header.lastOrd <= after)
    throw fault('INDEX_DAMAGED', `${path} describes another segment`)
  return header
}
