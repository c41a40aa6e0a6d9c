import type { Commands } from '../fleet/commands.ts'
import type { FleetHealth } from '../fleet/fleet-health.ts'
import type { Shadow } from '../fleet/shadow.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { SavedSearches } from '../search/saved-searches.ts'
import type { RecordStore } from '../store/record-store.ts'
import type { LiveFeed } from './live-feed.ts'
import { replyEvent } from './routes/device-commands.ts'
import { configEvent } from './routes/device-config.ts'
import { savedSearchView } from './routes/saved-searches.ts'
import { frameView, incidentView, nodeView } from './views.ts'

export interface LiveSources {
  readonly ingest: Pick<Ingest, 'on'>
  readonly store: RecordStore
  readonly shadow: Shadow
  readonly commands: Commands
  readonly health: FleetHealth
  readonly saved: SavedSearches
}

/** What is stored goes out to the browsers that watch. Returns what ends that. */
export function feedLive(
  live: Pick<LiveFeed, 'send' | 'wanted'>,
  { ingest, store, shadow, commands, health, saved }: LiveSources,
): () => void {
  const ends = [
    ingest.on('stored', result => {
      if (!live.wanted) return
      for (const frame of result.frames) live.send('frame', frameView(frame))
      for (const incident of result.incidents) live.send('incident', incidentView(incident, store))
    }),
    ingest.on('node', node => live.send('node', nodeView(node, store, health))),
    commands.onChange((address, row) => live.send('reply', replyEvent(address, row, commands))),
    shadow.onChange(address => {
      live.send('config', configEvent(address, shadow))
      const node = store.node(address.site, address.node)
      if (node !== undefined) live.send('node', nodeView(node, store, health))
    }),
    saved.onHit(({ search, frame, similarity }) =>
      live.send('saved-search', { search: savedSearchView(search), frame: frameView(frame), similarity }),
    ),
  ]
  return () => {
    for (const end of ends) end()
  }
}
