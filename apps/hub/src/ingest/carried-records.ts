import {
  decodeJson,
  decodeMessagePack,
  type ParsedTopic,
  Seq,
  type SeqRange,
  Session,
  toRanges,
} from '@sightline/core'
import { Type } from 'typebox'

/**
 * Of this version only: what a newer agent says, an older hub does not understand and must not have deleted; it stays
 * with the device until the hub is up to date.
 */
const v = Type.Literal(1)
const Event = Type.Object({ v, session: Session, seq: Seq })
const Batch = Type.Object({
  v,
  session: Session,
  items: Type.Array(Type.Object({ seq: Seq }), { minItems: 1, maxItems: 100_000 }),
})

/**
 * The records of a message that is otherwise unusable; undefined when it does not even say that. Their device would
 * send them for ever, and what waits behind them would never go.
 */
export function carriedRecords(
  type: ParsedTopic['type'],
  payload: Uint8Array,
): { readonly session: string; readonly seqs: readonly SeqRange[] } | undefined {
  try {
    if (type === 'event') {
      const { session, seq } = decodeJson(Event, payload)
      return { session, seqs: [[seq, seq]] }
    }
    if (type === 'emb') {
      const { session, items } = decodeMessagePack(Batch, payload)
      return { session, seqs: toRanges(items.map(({ seq }) => seq)) }
    }
  } catch {
    // Then nobody knows what it was.
  }
  return undefined
}
