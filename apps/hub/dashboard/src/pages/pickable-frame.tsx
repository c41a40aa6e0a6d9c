import type { Frame } from '../api-types.ts'
import { Thumbnail } from '../components/thumbnail.tsx'
import { absoluteTime } from '../format.ts'
import type { ExampleKind, ExamplePicture } from '../rule-examples.ts'

/** What the pictures of the page and those of the rule have to do with each other. */
export interface Picking {
  readonly kindOf: (id: string) => ExampleKind | undefined
  /** Undefined: at neither side any more. */
  readonly onPick: (picture: ExamplePicture, kind: ExampleKind | undefined) => void
}

export interface PickableFrameProps {
  readonly frame: Frame
  /** In the corner; a score. */
  readonly note?: string
  readonly picking: Picking
}

const SIDES = [
  { kind: 'positiveExamples', sign: '+', says: 'Use as example' },
  { kind: 'negativeExamples', sign: '−', says: 'Use as counter-example' },
] as const

/** A stored frame that can be made an example or a counter-example, and be let go again. */
export function PickableFrame({ frame, note, picking: { kindOf, onPick } }: PickableFrameProps) {
  const what = `${frame.camera}, ${absoluteTime(frame.capturedAt)}`
  const chosen = kindOf(frame.id)
  return (
    <li title={what} class={chosen === undefined ? '' : `pick-${chosen}`}>
      <Thumbnail url={frame.thumbnailUrl} alt={what} none="" />
      {note !== undefined && <span class="example-score">{note}</span>}
      <span class="pick">
        {SIDES.map(({ kind, sign, says }) => (
          <button
            key={kind}
            type="button"
            class="pick-button"
            title={says}
            aria-label={`${says}: ${what}`}
            aria-pressed={chosen === kind}
            onClick={() => onPick(frame, chosen === kind ? undefined : kind)}
          >
            {sign}
          </button>
        ))}
      </span>
    </li>
  )
}
