import type { NodeStarting } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { Icon } from '../icons.tsx'

const PHASES: Readonly<Record<NodeStarting['phase'], string>> = {
  'opening-model': 'Opening the model',
  'choosing-provider': 'Finding out where the model runs best',
  'building-engine': 'Building an engine for this device; the next start will not need to',
}

/** What a device does before it can judge frames, or why it gave up. */
export function StartingNote({ starting, now }: { readonly starting: NodeStarting; readonly now: number }) {
  const { phase, detail, progress, since, error } = starting
  if (error !== undefined)
    return (
      <p class="note note-error">
        <Icon name="alert" />
        <span>The model could not be opened: {error}</span>
      </p>
    )
  return (
    <p class="note note-warn">
      <Icon name="clock" />
      <span>
        {PHASES[phase]}
        {detail === undefined ? '' : ` (${detail})`}
        {progress === undefined ? '' : `, about ${Math.round(100 * progress)} %`}; began{' '}
        <Ago iso={since} now={now} />. No frame is judged until then.
      </span>
    </p>
  )
}
