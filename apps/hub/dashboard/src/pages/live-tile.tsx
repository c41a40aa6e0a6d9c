import type { Frame, Verdict } from '../api-types.ts'
import { Ago, FiredBadges, ScoreBar } from '../components/marks.tsx'
import { Thumbnail } from '../components/thumbnail.tsx'
import { millis, rate } from '../format.ts'
import type { TileView, Trouble } from '../live-tiles.ts'
import { formatHash } from '../router.ts'
import { useRules } from '../rules-context.ts'

const SHOWN_VERDICTS = 2
const CALM: ReadonlySet<Trouble['kind']> = new Set(['starting', 'gone'])

export interface LiveTileProps {
  readonly tile: TileView
  readonly now: number
  readonly onOpenFrame: (frame: Frame) => void
}

/** One camera: its newest picture, what was judged of it, how fast, or why there is none. */
export function LiveTile({ tile, now, onOpenFrame }: LiveTileProps) {
  const { site, node, camera, frame, lastPictureAt, trouble } = tile
  return (
    <article class={trouble === undefined ? 'card tile' : 'card tile tile-trouble'}>
      <div class="frame-picture">
        {frame === undefined ? (
          <Thumbnail url={null} alt="" none={lastPictureAt === null ? 'No frame yet' : 'No recent frame'} />
        ) : (
          <button type="button" class="frame-open" onClick={() => onOpenFrame(frame)}>
            <span class="visually-hidden">Details: newest frame of {camera} </span>
            <Thumbnail url={frame.thumbnailUrl} alt="" />
          </button>
        )}
        {frame !== undefined && <FiredBadges verdicts={frame.verdicts} />}
        {trouble !== undefined && (
          <span class={CALM.has(trouble.kind) ? 'tile-state' : 'tile-state tile-failed'}>{trouble.text}</span>
        )}
      </div>
      <div class="frame-text">
        <h2 class="frame-camera">
          <a href={formatHash('search', { site, node, camera })} title={`Search ${camera} only`}>
            {camera}
          </a>
        </h2>
        <span class="frame-time">
          {lastPictureAt !== null && <Ago iso={new Date(lastPictureAt).toISOString()} now={now} />}
        </span>
      </div>
      <div class="tile-line">
        <span class="tile-node" title={`${site} / ${node}`}>
          {node}
        </span>
        <TilePace tile={tile} />
      </div>
      {trouble?.detail !== undefined ? (
        <p class="hint tile-detail" title={trouble.detail}>
          <span>{trouble.detail}</span>
        </p>
      ) : (
        frame !== undefined && <TileVerdicts verdicts={frame.verdicts} />
      )}
    </article>
  )
}

/** As the device said last; it says so once a minute. */
function TilePace({ tile: { framesPerSecond, decisionMs } }: { tile: TileView }) {
  return (
    <span class="tile-pace">
      {framesPerSecond !== undefined && (
        <span title="Frames that the camera gives">
          <span class="visually-hidden">frames </span>
          {rate(framesPerSecond)}
        </span>
      )}
      {decisionMs !== undefined && (
        <span title="From a frame to its verdict, 95 of 100 frames">
          <span class="visually-hidden">decided in </span>
          {millis(decisionMs)}
        </span>
      )}
    </span>
  )
}

function TileVerdicts({ verdicts }: { verdicts: readonly Verdict[] }) {
  const { nameOf } = useRules()
  if (verdicts.length === 0) return <p class="hint tile-detail">No rule comes near.</p>
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
