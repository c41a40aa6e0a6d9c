import type { IncidentReview, QueuedIncident } from './api-types.ts'

/** Incidents on the table, the one that is looked at, and what was said of them. */
export interface ReviewSession {
  readonly items: readonly QueuedIncident[]
  readonly at: number
  readonly verdicts: ReadonlyMap<string, IncidentReview>
  /** Ids in the order of their verdicts, for taking them back. */
  readonly history: readonly string[]
  /** Counts what was said and taken back. */
  readonly round: number
}

export function newSession(items: readonly QueuedIncident[]): ReviewSession {
  return { items, at: 0, verdicts: new Map(), history: [], round: 0 }
}

export function current({ items, at }: ReviewSession): QueuedIncident | undefined {
  return items[at]
}

/** Stays within the list. */
export function moved(session: ReviewSession, step: number): ReviewSession {
  return { ...session, at: Math.max(0, Math.min(session.items.length - 1, session.at + step)) }
}

export function movedTo(session: ReviewSession, id: string): ReviewSession {
  const at = session.items.findIndex(item => item.id === id)
  return at < 0 ? session : { ...session, at }
}

/** On to the next one without a verdict, from the top again at the end; nowhere when there is none left. */
export function decided(session: ReviewSession, id: string, review: IncidentReview): ReviewSession {
  const { verdicts, round } = noted(session, id, review)
  const history = [...session.history.filter(each => each !== id), id]
  const { items, at } = session
  const isOpen = (item: QueuedIncident) => !verdicts.has(item.id)
  const next = [...items.slice(at + 1), ...items.slice(0, at)].find(isOpen)
  const to = next === undefined ? at : items.indexOf(next)
  return { items, at: to, verdicts, history, round }
}

/** The same verdict with another note: the place and the order for taking back stay. */
export function noted(session: ReviewSession, id: string, review: IncidentReview): ReviewSession {
  const verdicts = new Map(session.verdicts).set(id, review)
  return { ...session, verdicts, round: session.round + 1 }
}

function takenBack(session: ReviewSession, id: string): ReviewSession {
  const verdicts = new Map(session.verdicts)
  verdicts.delete(id)
  const history = session.history.filter(each => each !== id)
  return { ...session, verdicts, history, round: session.round + 1 }
}

/** Back at the incident whose verdict was taken back. */
export function undone(session: ReviewSession, id: string): ReviewSession {
  return movedTo(takenBack(session, id), id)
}

/** What somebody said of it elsewhere, or took back there; the reader stays where he is. */
export function heard(session: ReviewSession, id: string, review: IncidentReview | null): ReviewSession {
  const known = session.verdicts.get(id)
  if (!session.items.some(item => item.id === id) || known?.at === review?.at) return session
  return review === null ? takenBack(session, id) : noted(session, id, review)
}

/** It was deleted: on to the one that takes its place. */
export function without(session: ReviewSession, id: string): ReviewSession {
  const items = session.items.filter(item => item.id !== id)
  const history = session.history.filter(each => each !== id)
  const before = session.items.findIndex(item => item.id === id)
  const at = before >= 0 && before < session.at ? session.at - 1 : session.at
  return moved({ ...session, items, history, at }, 0)
}

export function openCount({ items, verdicts }: ReviewSession): number {
  return items.filter(({ id }) => !verdicts.has(id)).length
}

export type ReviewKey = 'next' | 'previous' | 'confirm' | 'dismiss' | 'relabel' | 'note' | 'undo'

const KEYS: Readonly<Record<string, ReviewKey>> = {
  j: 'next',
  ArrowDown: 'next',
  k: 'previous',
  ArrowUp: 'previous',
  c: 'confirm',
  d: 'dismiss',
  r: 'relabel',
  n: 'note',
  u: 'undo',
}

export function reviewKey({
  key,
  ctrlKey,
  metaKey,
  altKey,
}: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>): ReviewKey | undefined {
  return ctrlKey || metaKey || altKey ? undefined : KEYS[key]
}
