import type { Caller } from '../auth/caller.ts'
import type { replyEvent } from './routes/device-commands.ts'
import type { configEvent } from './routes/device-config.ts'
import type { savedSearchView } from './routes/saved-searches.ts'
import { type frameView, type incidentView, limitNode, type nodeView } from './views.ts'

/** What the live feed says: each kind of event, with its data. */
export interface LiveEvents {
  readonly frame: ReturnType<typeof frameView>
  readonly incident: ReturnType<typeof incidentView>
  readonly node: ReturnType<typeof nodeView>
  /** A command, with what the device answered. */
  readonly reply: ReturnType<typeof replyEvent>
  readonly config: ReturnType<typeof configEvent>
  readonly 'saved-search': SavedSearchHit
}

export type LiveEvent = keyof LiveEvents

export interface SavedSearchHit {
  readonly search: ReturnType<typeof savedSearchView>
  readonly frame: ReturnType<typeof frameView>
  readonly similarity: number
}

export type Watcher = Pick<Caller, 'actor' | 'scope' | 'holds'>

/** What a limited watcher gets of each kind, undefined for nothing: the same as the routes would show him. */
const LIMITED: {
  readonly [Kind in LiveEvent]: (data: LiveEvents[Kind], watcher: Watcher) => object | undefined
} = {
  frame: (frame, { scope }) => (scope.sees(frame) ? frame : undefined),
  incident: (incident, { scope }) => (scope.sees(incident) ? incident : undefined),
  node: (node, { scope }) => (scope.seesNode(node) ? limitNode(node, scope) : undefined),
  // Commands and settings are a whole device's, and name its cameras.
  reply: () => undefined,
  config: () => undefined,
  // Of others' searches, name and filter may speak of cameras that he may not know of.
  'saved-search': (hit, { actor, scope }) =>
    hit.search.owner === actor && scope.sees(hit.frame) ? hit : undefined,
}

export const LIVE_EVENTS = Object.keys(LIMITED) as LiveEvent[]

/** What of an event a watcher gets; undefined: nothing. */
export function shownTo<Kind extends LiveEvent>(
  watcher: Watcher,
  kind: Kind,
  data: LiveEvents[Kind],
): object | undefined {
  return watcher.scope.limited ? LIMITED[kind](data, watcher) : data
}
