import { createHash } from 'node:crypto'
import { conforms, fault } from '@sightline/core'
import { type Static, Type } from 'typebox'
import type { Candidate } from './query.ts'

const Whole = Type.Integer({ minimum: 0 })

/**
 * Where a page ended, and of which moment the answer is: frames stored since then do not enter it, so that the pages of
 * one answer neither repeat nor skip a frame while others come in.
 */
const Position = Type.Object(
  {
    /** Of the query, so that a cursor is not used with another. */
    query: Type.String({ maxLength: 32 }),
    /** Newest frame that belongs to the answer. */
    upTo: Whole,
    /** Milliseconds since the epoch: time decays from here. */
    at: Whole,
    /** Least similarity of a hit, by the score that was asked for; null: any. */
    least: Type.Union([Type.Number(), Type.Null()]),
    /** Cosine between two frames that have nothing in common; what is typical changes as frames come in. */
    ordinary: Type.Number(),
    /** Hits, or groups, of the pages before. */
    seen: Whole,
    /** Rank, time and ord of the last hit. */
    after: Type.Union([Type.Tuple([Type.Number(), Type.Number(), Whole]), Type.Null()]),
  },
  { additionalProperties: false },
)
export type Position = Static<typeof Position>

export function encodeCursor(position: Position): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url')
}

/** @throws API_BAD_REQUEST for what is no cursor, or one of another query */
export function decodeCursor(cursor: string, query: string): Position {
  let position: unknown
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch (cause) {
    throw fault('API_BAD_REQUEST', 'the cursor is not one that a search has given', { cause })
  }
  if (!conforms(Position, position))
    throw fault('API_BAD_REQUEST', 'the cursor is not one that a search has given')
  if (position.query !== query)
    throw fault('API_BAD_REQUEST', 'the cursor belongs to another query: repeat the query of the first page')
  return position
}

export function digestOf(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 16)
}

/** By rank descending, ties newest first. */
export function inOrder(a: Candidate, b: Candidate): number {
  return b.rank - a.rank || b.frame.capturedAt - a.frame.capturedAt || b.frame.ord - a.frame.ord
}

export function keyOf({ rank, frame }: Candidate): NonNullable<Position['after']> {
  return [rank, frame.capturedAt, frame.ord]
}

export function isAfter({ rank, frame }: Candidate, [lastRank, time, ord]: NonNullable<Position['after']>) {
  return (lastRank - rank || time - frame.capturedAt || ord - frame.ord) > 0
}
