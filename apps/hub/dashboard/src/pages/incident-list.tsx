import { useState } from 'preact/hooks'
import type { Incident } from '../api-types.ts'
import { Ago, SeverityBadge } from '../components/marks.tsx'
import { Thumbnail } from '../components/thumbnail.tsx'
import { duration, percent, plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { formatHash } from '../router.ts'

const FIRST_SHOWN = 12

export function IncidentList({ incidents, now }: { incidents: readonly Incident[]; now: number }) {
  const [openOnly, setOpenOnly] = useState(false)
  const [all, setAll] = useState(false)
  const open = incidents.filter(({ endedAt }) => endedAt === null)
  const chosen = openOnly ? open : incidents
  const shown = all ? chosen : chosen.slice(0, FIRST_SHOWN)
  return (
    <section class="incidents card" aria-labelledby="incidents-title">
      <header class="incidents-head">
        <h2 id="incidents-title">Incidents</h2>
        <button type="button" class="chip" aria-pressed={openOnly} onClick={() => setOpenOnly(!openOnly)}>
          Ongoing {open.length}
        </button>
      </header>
      {shown.length === 0 ? (
        <p class="incidents-none">
          <Icon name="check" />
          {openOnly ? 'Nothing is going on right now.' : 'No rule has fired yet.'}
        </p>
      ) : (
        <ol class="incidents-list">
          {shown.map(incident => (
            <li key={incident.id}>
              <IncidentRow incident={incident} now={now} />
            </li>
          ))}
        </ol>
      )}
      {shown.length < chosen.length && (
        <button type="button" class="text-button" onClick={() => setAll(true)}>
          Show all {chosen.length}
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
          <span class="incident-name">{ruleName}</span>
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
