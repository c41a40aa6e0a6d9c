import { useState } from 'preact/hooks'
import type { Incident } from '../api-types.ts'
import { Ago, SeverityBadge } from '../components/marks.tsx'
import { Thumbnail } from '../components/thumbnail.tsx'
import { duration, percent, plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { formatHash } from '../router.ts'
import { type TickerFilter, type TickerHit, tickerEntries } from '../ticker.ts'

const FIRST_SHOWN = 12
const NOTHING: Readonly<Record<TickerFilter, string>> = {
  all: 'No rule has fired yet.',
  ongoing: 'Nothing is going on right now.',
  saved: 'No saved search has found anything since this page was opened.',
}

export interface IncidentListProps {
  readonly incidents: readonly Incident[]
  readonly hits: readonly TickerHit[]
  readonly now: number
}

/** What the rules caught and what saved searches found, newest first. */
export function IncidentList({ incidents, hits, now }: IncidentListProps) {
  const [filter, setFilter] = useState<TickerFilter>('all')
  const [all, setAll] = useState(false)
  const open = incidents.filter(({ endedAt }) => endedAt === null).length
  const entries = tickerEntries(incidents, hits, filter)
  const shown = all ? entries : entries.slice(0, FIRST_SHOWN)
  const chip = (name: TickerFilter, label: string) => (
    <button
      type="button"
      class="chip"
      aria-pressed={filter === name}
      onClick={() => setFilter(filter === name ? 'all' : name)}
    >
      {label}
    </button>
  )
  return (
    <section class="incidents card" aria-labelledby="incidents-title">
      <header class="incidents-head">
        <h2 id="incidents-title">Incidents</h2>
        {chip('ongoing', `Ongoing ${open}`)}
        {(hits.length > 0 || filter === 'saved') && chip('saved', `Saved searches ${hits.length}`)}
      </header>
      {shown.length === 0 ? (
        <p class="incidents-none">
          <Icon name="check" />
          {NOTHING[filter]}
        </p>
      ) : (
        <ol class="incidents-list">
          {shown.map(entry =>
            entry.kind === 'incident' ? (
              <li key={entry.incident.id}>
                <IncidentRow incident={entry.incident} now={now} />
              </li>
            ) : (
              <li key={entry.hit.key}>
                <HitRow hit={entry.hit} now={now} />
              </li>
            ),
          )}
        </ol>
      )}
      {shown.length < entries.length && (
        <button type="button" class="text-button" onClick={() => setAll(true)}>
          Show all {entries.length}
        </button>
      )}
    </section>
  )
}

function IncidentRow({ incident, now }: { incident: Incident; now: number }) {
  const { ruleName, severity, camera, node, startedAt, endedAt, peakScore, frames } = incident
  const until = endedAt === null ? now : Date.parse(endedAt)
  const lasted = duration(until - Date.parse(startedAt))
  return (
    <a
      class={`incident severity-${severity}`}
      href={formatHash('live', { frame: incident.bestFrameId })}
      title={`${camera} on ${node}`}
    >
      <span class="incident-picture">
        <Thumbnail url={incident.thumbnailUrl} alt="" />
      </span>
      <span class="incident-text">
        <span class="incident-head">
          <span class="incident-name" title={ruleName} dir="auto">
            {ruleName}
          </span>
          <SeverityBadge severity={severity} />
        </span>
        <span class="incident-line">
          {camera}, <Ago iso={startedAt} now={now} />
        </span>
        <span class="incident-line">
          {endedAt === null ? <strong class="ongoing">ongoing {lasted}</strong> : lasted}
          {` · ${plural(frames, 'frame')} · peak ${percent(peakScore)}`}
        </span>
      </span>
    </a>
  )
}

function HitRow({ hit, now }: { hit: TickerHit; now: number }) {
  const { search, frame, similarity, hits } = hit
  return (
    <a
      class="incident incident-saved"
      href={formatHash('live', { frame: frame.id })}
      title={`${frame.camera} on ${frame.node}`}
    >
      <span class="incident-picture">
        <Thumbnail url={frame.thumbnailUrl} alt="" />
      </span>
      <span class="incident-text">
        <span class="incident-head">
          <span class="incident-name" title={search.name} dir="auto">
            {search.name}
          </span>
          <span class="badge badge-saved">saved search</span>
        </span>
        <span class="incident-line">
          {frame.camera}, <Ago iso={frame.capturedAt} now={now} />
        </span>
        <span class="incident-line">
          {plural(hits, 'hit')} · cosine {similarity.toFixed(3)}
        </span>
      </span>
    </a>
  )
}
