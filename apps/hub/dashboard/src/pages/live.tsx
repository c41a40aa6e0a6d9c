import { useState } from 'preact/hooks'
import type { FleetNode, Frame, Verdict } from '../api-types.ts'
import { Ago, FiredBadges, ScoreBar } from '../components/marks.tsx'
import { EmptyState, ErrorState, SkeletonCards } from '../components/states.tsx'
import { Thumbnail } from '../components/thumbnail.tsx'
import { plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import type { LiveView } from '../live-store.ts'
import { formatHash } from '../router.ts'
import { useRules } from '../rules-context.ts'
import { cameraKey } from '../search-query.ts'
import { useLive, useNow, useServices } from '../services.ts'
import { IncidentList } from './incident-list.tsx'

const SHOWN_VERDICTS = 2

/** The newest frame of every camera, and what the rules caught. */
export function LivePage({ onOpenFrame }: { onOpenFrame: (frame: Frame) => void }) {
  const current = useLive()
  const { live } = useServices()
  const now = useNow()
  const [held, setHeld] = useState<LiveView>()
  const view = held ?? current
  const tiles = tilesOf(view)

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
          onClick={() => setHeld(held === undefined ? current : undefined)}
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
          <section aria-label="Cameras">
            {tiles.length === 0 ? (
              <EmptyState icon="camera" title="No camera has sent a frame yet">
                <p>Start an edge agent with a camera: its frames appear here by themselves.</p>
              </EmptyState>
            ) : (
              <ul class="wall">
                {tiles.map(tile => (
                  <li key={tile.key}>
                    <Tile tile={tile} now={now} onOpenFrame={onOpenFrame} />
                  </li>
                ))}
              </ul>
            )}
          </section>
          <IncidentList incidents={view.incidents} now={now} />
        </div>
      )}
    </div>
  )
}

interface TileView {
  readonly key: string
  readonly site: string
  readonly node: string
  readonly camera: string
  readonly frame: Frame | undefined
  readonly lastFrameAt: string | null
  /** Why the camera may not be current. */
  readonly trouble: string | undefined
  readonly failed: boolean
}

function Tile({
  tile,
  now,
  onOpenFrame,
}: {
  tile: TileView
  now: number
  onOpenFrame: (frame: Frame) => void
}) {
  const { site, node, camera, frame, lastFrameAt, trouble, failed } = tile
  return (
    <article class={trouble === undefined ? 'card tile' : 'card tile tile-trouble'}>
      <div class="frame-picture">
        {frame === undefined ? (
          <Thumbnail url={null} alt="" none={lastFrameAt === null ? 'No frame yet' : 'No recent frame'} />
        ) : (
          <button
            type="button"
            class="frame-open"
            aria-label={`Details: newest frame of ${camera}`}
            onClick={() => onOpenFrame(frame)}
          >
            <Thumbnail url={frame.thumbnailUrl} alt="" />
          </button>
        )}
        {frame !== undefined && <FiredBadges verdicts={frame.verdicts} />}
        {trouble !== undefined && (
          <span class={failed ? 'tile-state tile-failed' : 'tile-state'}>{trouble}</span>
        )}
      </div>
      <div class="frame-text">
        <h2 class="frame-camera">
          <a href={formatHash('search', { site, node, camera })} title="Search this camera only">
            {camera}
          </a>
        </h2>
        <span class="frame-time">{lastFrameAt !== null && <Ago iso={lastFrameAt} now={now} />}</span>
      </div>
      <p class="tile-node">{node}</p>
      {frame !== undefined && <TileVerdicts verdicts={frame.verdicts} />}
    </article>
  )
}

function TileVerdicts({ verdicts }: { verdicts: readonly Verdict[] }) {
  const { nameOf } = useRules()
  if (verdicts.length === 0) return <p class="hint">No rule comes near.</p>
  const top = [...verdicts].sort((a, b) => b.score - a.score).slice(0, SHOWN_VERDICTS)
  return (
    <ul class="tile-verdicts" aria-label="Verdicts">
      {top.map(({ rule, score, fired }) => (
        <li key={rule} class={fired ? 'verdict-fired' : ''}>
          <span class="tile-rule" title={nameOf(rule)}>
            {nameOf(rule)}
          </span>
          <ScoreBar score={score} label="Score" strong={fired} />
        </li>
      ))}
    </ul>
  )
}

/** Cameras that devices report, and cameras that frames came from, each once, in a lasting order, those with a picture first. */
function tilesOf({ frames, nodes }: LiveView): TileView[] {
  const tiles = new Map<string, TileView>()
  for (const frame of frames.values()) {
    const key = cameraKey(frame)
    tiles.set(key, {
      key,
      site: frame.site,
      node: frame.node,
      camera: frame.camera,
      frame,
      lastFrameAt: frame.capturedAt,
      trouble: undefined,
      failed: false,
    })
  }
  for (const node of nodes.values()) {
    for (const { camera, status, lastFrameAt } of node.cameras) {
      const key = cameraKey({ ...node, camera })
      const frame = frames.get(key)
      tiles.set(key, {
        key,
        site: node.site,
        node: node.node,
        camera,
        frame,
        lastFrameAt: frame?.capturedAt ?? lastFrameAt,
        trouble: troubleOf(node, status),
        failed: !node.online || status === 'failed',
      })
    }
  }
  return [...tiles.values()].sort(
    (a, b) => Number(a.frame === undefined) - Number(b.frame === undefined) || a.key.localeCompare(b.key),
  )
}

function troubleOf(node: FleetNode, status: string): string | undefined {
  if (!node.online) return 'Device offline'
  if (status === 'failed') return 'Camera failed'
  return status === 'starting' ? 'Starting' : undefined
}
