import { useRef, useState } from 'preact/hooks'
import type { Frame } from '../api-types.ts'
import { EmptyState, ErrorState, SkeletonCards } from '../components/states.tsx'
import { VirtualGrid } from '../components/virtual-grid.tsx'
import { plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import type { LiveView } from '../live-store.ts'
import { inTrouble, type TileView, tilesOf } from '../live-tiles.ts'
import { useLive, useNow, useServices } from '../services.ts'
import { IncidentList } from './incident-list.tsx'
import { LiveTile } from './live-tile.tsx'

/** Fewer cameras are found by looking. */
const FIND_FROM = 13

/** The newest frame of every camera, what the rules caught, and what saved searches found. */
export function LivePage({ onOpenFrame }: { onOpenFrame: (frame: Frame) => void }) {
  const current = useLive()
  const { live } = useServices()
  const time = useNow()
  const [held, setHeld] = useState<{ readonly view: LiveView; readonly now: number }>()
  const known = useRef(time)
  if (current.error === undefined) known.current = time
  // What stands still, on a reader's word or because the hub is away, must not look as if it had fallen silent.
  const { view, now } = held ?? { view: current, now: known.current }
  const tiles = tilesOf(view, now)

  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>Live</h1>
          <p class="page-sub">
            {view.loaded
              ? `${plural(tiles.length, 'camera')}, newest frame of each`
              : view.error === undefined && 'Loading…'}
          </p>
        </div>
        <button
          type="button"
          class={held === undefined ? 'button' : 'button button-on'}
          onClick={() => setHeld(held === undefined ? { view, now } : undefined)}
        >
          <Icon name={held === undefined ? 'pause' : 'play'} />
          {held === undefined ? 'Pause' : 'Resume'}
        </button>
      </header>
      {!view.loaded && view.error !== undefined && (
        <ErrorState error={view.error} onRetry={() => live.retryNow()} />
      )}
      {!view.loaded && view.error === undefined && <SkeletonCards cards={6} class="wall" />}
      {view.loaded && (
        <div class="live">
          <IncidentList incidents={view.incidents} hits={view.hits} now={now} />
          <Wall tiles={tiles} now={now} onOpenFrame={onOpenFrame} />
        </div>
      )}
    </div>
  )
}

interface WallProps {
  readonly tiles: readonly TileView[]
  readonly now: number
  readonly onOpenFrame: (frame: Frame) => void
}

function Wall({ tiles, now, onOpenFrame }: WallProps) {
  const [troubled, setTroubled] = useState(false)
  const [wanted, setWanted] = useState('')
  const trouble = tiles.filter(inTrouble).length
  const word = wanted.trim().toLowerCase()
  const shown = tiles.filter(tile => (!troubled || inTrouble(tile)) && tile.key.toLowerCase().includes(word))
  return (
    <section class="cameras-live" aria-label="Cameras">
      {(trouble > 0 || troubled || tiles.length >= FIND_FROM || wanted !== '') && (
        <div class="wall-head">
          {(tiles.length >= FIND_FROM || wanted !== '') && (
            <input
              type="search"
              class="wall-find"
              aria-label="Find a camera"
              placeholder="Find a camera, device or site"
              value={wanted}
              onInput={event => setWanted(event.currentTarget.value)}
            />
          )}
          <button type="button" class="chip" aria-pressed={troubled} onClick={() => setTroubled(!troubled)}>
            <Icon name="alert" /> In trouble {trouble}
          </button>
        </div>
      )}
      {tiles.length === 0 ? (
        <EmptyState icon="camera" title="No camera has sent a frame yet">
          <p>Start an edge agent with a camera: its frames appear here by themselves.</p>
        </EmptyState>
      ) : shown.length === 0 ? (
        <p class="hint" role="status">
          {word === '' ? 'No camera is in trouble.' : 'No camera is called so.'}
        </p>
      ) : (
        <VirtualGrid items={shown} keyOf={({ key }) => key} class="wall" label="Cameras">
          {tile => <LiveTile tile={tile} now={now} onOpenFrame={onOpenFrame} />}
        </VirtualGrid>
      )}
    </section>
  )
}
