import { useState } from 'preact/hooks'
import type { Frame, Hit, Incident, Verdict } from '../api-types.ts'
import { absoluteTime, percent, plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { splitWords } from '../minus-terms.ts'
import { formatHash, useRoute } from '../router.ts'
import { useRules } from '../rules-context.ts'
import { parseQuery, queryParams } from '../search-query.ts'
import { useLive, useNow, useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { Fact } from './fact.tsx'
import { FrameMatch } from './frame-match.tsx'
import { FrameNeighbours } from './frame-neighbours.tsx'
import { FrameTags } from './frame-tags.tsx'
import { Ago, ScoreBar, SeverityBadge } from './marks.tsx'
import { Modal } from './modal.tsx'
import { ErrorState, MissingFrame } from './states.tsx'
import { Thumbnail } from './thumbnail.tsx'

export interface FrameDrawerProps {
  readonly id: string
  /** What the page already knows of the frame. */
  readonly known: Frame | Hit | undefined
  /** To a frame before or after it. */
  readonly onStep: (frame: Frame) => void
  readonly onClose: () => void
}

export function FrameDrawer({ id, known, onStep, onClose }: FrameDrawerProps) {
  const { api } = useServices()
  const matching = known?.id === id ? known : undefined
  const loaded = useResource(matching === undefined ? id : undefined, signal => api.frame(id, signal))
  const frame = matching ?? (loaded.data?.id === id ? loaded.data : undefined)
  return (
    <Modal title={frame?.camera ?? 'Frame'} class="drawer" onClose={onClose}>
      {frame !== undefined && <FrameDetail frame={frame} onStep={onStep} />}
      {frame === undefined && loaded.error?.status === 404 && <MissingFrame />}
      {frame === undefined && loaded.error !== undefined && loaded.error.status !== 404 && (
        <ErrorState error={loaded.error} onRetry={loaded.reload} />
      )}
      {frame === undefined && loaded.loading && <div class="skeleton-picture" aria-busy="true" />}
    </Modal>
  )
}

function FrameDetail({ frame, onStep }: { frame: Frame | Hit; onStep: (frame: Frame) => void }) {
  const { can } = useSession()
  const now = useNow()
  const { incidents } = useLive()
  const { page, params } = useRoute()
  // From a search one goes on within its filters; elsewhere an address has none.
  const query = parseQuery(page === 'search' ? params : {})
  // The words that found the frame say what a rule from it would look for.
  const asked = splitWords(query.text).wanted
  const { site, node, camera } = frame
  const shownFor = incidents.filter(({ bestFrameId }) => bestFrameId === frame.id)
  return (
    <>
      <div class="drawer-picture">
        <Thumbnail url={frame.thumbnailUrl} alt={`Frame of camera ${camera}`} />
      </div>
      {frame.thumbnailUrl === null && (
        <p class="hint">
          No picture of this frame is stored: its device or its site keeps none. It can be searched and
          compared all the same.
        </p>
      )}
      <div class="actions">
        <a
          class="button button-primary"
          href={formatHash('search', queryParams({ ...query, text: '', like: frame.id }))}
        >
          <Icon name="similar" /> More like this
        </a>
        <a
          class="button"
          href={formatHash('search', queryParams({ ...query, source: { site, node, camera } }))}
        >
          <Icon name="camera" /> Only this camera
        </a>
        {can('operator') && (
          <a class="button" href={formatHash('rules', { example: frame.id, text: asked })}>
            <Icon name="rules" /> Make a rule
          </a>
        )}
        <CopyLink key={frame.id} id={frame.id} />
      </div>
      <FrameNeighbours frame={frame} onStep={onStep} />
      <FrameMatch frame={frame} />
      <FrameTags key={frame.id} frame={frame} />
      {shownFor.length > 0 && (
        <section>
          <h3>Incidents that it stands for</h3>
          <ul class="stands-for">
            {shownFor.map(incident => (
              <IncidentLine key={incident.id} incident={incident} />
            ))}
          </ul>
        </section>
      )}
      <section>
        <h3>Rules</h3>
        <Verdicts verdicts={frame.verdicts} />
      </section>
      <section>
        <h3>Frame</h3>
        <dl class="facts">
          <Fact name="Captured">
            {absoluteTime(frame.capturedAt)} (<Ago iso={frame.capturedAt} now={now} />)
          </Fact>
          <Fact name="Received">
            {absoluteTime(frame.receivedAt)}
            {frame.historical && ', replayed after an outage'}
          </Fact>
          <Fact name="Camera">{camera}</Fact>
          <Fact name="Device">
            {node}, site {site}
          </Fact>
          <Fact name="Id">
            <code>{frame.id}</code>
          </Fact>
        </dl>
      </section>
    </>
  )
}

function IncidentLine({ incident }: { incident: Incident }) {
  const { ruleName, severity, frames, peakScore, endedAt, review } = incident
  return (
    <li>
      <strong>{ruleName}</strong> <SeverityBadge severity={severity} />
      <span class="hint">
        {endedAt === null ? 'ongoing' : 'ended'} · {plural(frames, 'frame')} · peak {percent(peakScore)}
        {review !== null && ` · ${review.verdict}`}
      </span>
      {review?.note && <q>{review.note}</q>}
    </li>
  )
}

function Verdicts({ verdicts }: { verdicts: readonly Verdict[] }) {
  const { nameOf } = useRules()
  // A still scene may be judged again, by newer rules, without being stored again.
  if (verdicts.length === 0) return <p class="hint">No rule came near when this frame was stored.</p>
  return (
    <table class="verdicts">
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">Score</th>
          <th scope="col">Similarity</th>
        </tr>
      </thead>
      <tbody>
        {[...verdicts]
          .sort((a, b) => b.score - a.score)
          .map(({ rule, score, similarity, fired }) => (
            <tr key={rule} class={fired ? 'verdict-fired' : ''}>
              <th scope="row">
                {nameOf(rule)}
                {fired && <span class="badge badge-fired">fired</span>}
              </th>
              <td>
                <ScoreBar score={score} label="Score" strong={fired} />
              </td>
              <td class="figure">{similarity.toFixed(3)}</td>
            </tr>
          ))}
      </tbody>
    </table>
  )
}

function CopyLink({ id }: { id: string }) {
  const [state, setState] = useState<'idle' | 'copied' | 'failed'>('idle')
  const copy = async () => {
    const url = `${location.origin}${location.pathname}${formatHash('search', { frame: id })}`
    try {
      await navigator.clipboard.writeText(url)
      setState('copied')
    } catch {
      // The clipboard is closed to pages that are not served over HTTPS or from this machine.
      setState('failed')
    }
  }
  return (
    <button type="button" class="button" onClick={copy}>
      <Icon name={state === 'copied' ? 'check' : 'link'} />
      <span aria-live="polite">
        {state === 'idle' ? 'Copy link' : state === 'copied' ? 'Copied' : 'Copy the address above'}
      </span>
    </button>
  )
}
