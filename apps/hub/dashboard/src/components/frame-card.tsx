import { useRef } from 'preact/hooks'
import type { Frame, Hit } from '../api-types.ts'
import { relativeTime } from '../format.ts'
import { Icon } from '../icons.tsx'
import { Ago, FiredBadges, ScoreBar } from './marks.tsx'
import { Thumbnail } from './thumbnail.tsx'

export interface FrameCardProps {
  readonly frame: Frame | Hit
  readonly now: number
  /** How many almost identical frames the card stands for; with a way to see others like it. */
  readonly alike?: number
  readonly onUnstack?: () => void
  readonly onOpen: (frame: Frame) => void
  readonly onSimilar: (frame: Frame) => void
}

export function FrameCard({ frame, now, alike = 1, onUnstack, onOpen, onSimilar }: FrameCardProps) {
  const { camera, capturedAt } = frame
  const open = useRef<HTMLButtonElement>(null)
  const what = `${camera}, ${relativeTime(capturedAt, now)}`
  return (
    <article class={alike > 1 ? 'card frame frame-stack' : 'card frame'}>
      <div class="frame-picture">
        <button ref={open} type="button" class="frame-open" onClick={() => onOpen(frame)}>
          <span class="visually-hidden">Details: {what} </span>
          <Thumbnail url={frame.thumbnailUrl} alt="" />
        </button>
        <FiredBadges verdicts={frame.verdicts} />
        {alike > 1 && (
          <button
            type="button"
            class="frame-alike"
            title={`Stands for ${alike} almost identical frames: show more like it`}
            onClick={() => {
              // This button goes; the focus stays on the card.
              open.current?.focus()
              onUnstack?.()
            }}
          >
            {alike} alike
          </button>
        )}
        <button
          type="button"
          class="frame-similar"
          aria-label={`More like this: ${what}`}
          title="More like this"
          onClick={() => onSimilar(frame)}
        >
          <Icon name="similar" />
        </button>
      </div>
      <div class="frame-text">
        <span class="frame-camera" title={`${frame.site} / ${frame.node} / ${camera}`}>
          {camera}
        </span>
        <span class="frame-time">
          <Ago iso={capturedAt} now={now} />
        </span>
      </div>
      {'score' in frame && <ScoreBar score={frame.score} label="Match" strong={frame.score >= 0.5} />}
    </article>
  )
}
