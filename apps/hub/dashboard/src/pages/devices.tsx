import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { FleetNode } from '../api-types.ts'
import { EmptyState, ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { choicesOf, type FleetRow, fleetQueryOf, fleetRows, shownRows, WHOLE_FLEET } from '../device-fleet.ts'
import { enrolledDevices } from '../fleet-api.ts'
import { count, plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { formatHash, navigate } from '../router.ts'
import { useRules } from '../rules-context.ts'
import { useComplete, useLive, useNow, useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { DeviceFilters } from './device-filters.tsx'
import { DevicePage } from './device-page.tsx'
import { DeviceTable } from './device-table.tsx'
import { EnrolDialog } from './enrol-dialog.tsx'
import { EnrolmentList } from './enrolment-list.tsx'

/** Rows drawn at once; a fleet may have hundreds. */
const FIRST_ROWS = 100
const REDRAW_AGES_MS = 5000

/** All devices, or the one that the address names. */
export function DevicesPage({ params }: { params: Readonly<Record<string, string>> }) {
  const { api, live } = useServices()
  const { nodes, frames, loaded, error } = useLive()
  const rules = useRules()
  const system = useResource('system', signal => api.system(signal))
  // A device that comes may have been enrolled since, and one that goes may have been turned away.
  const online = [...nodes.values()].filter(node => node.online).length
  const seen = `${nodes.size} ${online}`
  const enrolled = useResource(`devices ${seen}`, signal => enrolledDevices(api, signal))
  const now = useNow(REDRAW_AGES_MS)
  const rows = fleetRows(nodes.values(), enrolled.data ?? [])
  const hub = { fingerprint: system.data?.model.fingerprint, rulesVersion: rules.data?.version }
  const ready = useComplete(loaded && !system.awaited && !enrolled.awaited && !rules.awaited)

  if (!ready)
    return (
      <div class="page">
        <h1>Devices</h1>
        {error === undefined ? (
          <SkeletonCards cards={2} class="devices" />
        ) : (
          <ErrorState error={error} onRetry={() => live.retryNow()} />
        )}
      </div>
    )
  if (params.device !== undefined)
    return (
      <DevicePage
        key={params.device}
        name={params.device}
        row={rows.find(({ key }) => key === params.device)}
        frames={frames}
        hub={hub}
        onChanged={enrolled.reload}
      />
    )
  return (
    <FleetPage
      params={params}
      rows={rows}
      whole={enrolled.data !== undefined}
      seen={seen}
      now={now}
      hub={hub}
      onChanged={enrolled.reload}
    >
      {enrolled.error !== undefined && <ErrorNote error={enrolled.error} onRetry={enrolled.reload} />}
    </FleetPage>
  )
}

interface FleetPageProps {
  readonly params: Readonly<Record<string, string>>
  readonly rows: readonly FleetRow[]
  /** Whether those are among them that were enrolled, and have never reported. */
  readonly whole: boolean
  /** Changes with who is there. */
  readonly seen: string
  readonly now: number
  readonly hub: { readonly fingerprint: string | undefined; readonly rulesVersion: number | undefined }
  readonly onChanged: () => void
  readonly children: ComponentChildren
}

function FleetPage({ params, rows, whole, seen, now, hub, onChanged, children }: FleetPageProps) {
  const { can } = useSession()
  const [enrolling, setEnrolling] = useState(false)
  const [enrolments, setEnrolments] = useState(0)
  const query = fleetQueryOf(params)
  const [all, setAll] = useState(false)
  const found = shownRows(rows, query)
  const drawn = all ? found : found.slice(0, FIRST_ROWS)
  const close = () => {
    setEnrolling(false)
    setEnrolments(round => round + 1)
    onChanged()
  }
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>Devices</h1>
          <p class="page-sub">{summary(rows)}</p>
        </div>
        {can('operator') && (
          <button type="button" class="button button-primary" onClick={() => setEnrolling(true)}>
            <Icon name="plus" /> Enrol a device
          </button>
        )}
      </header>
      {enrolling && <EnrolDialog onClose={close} />}
      {children}
      {rows.length === 0 && whole && (
        <EmptyState icon="chip" title="No device is known yet">
          <p>
            Enrol one, and run the command that you get on it. It appears here as soon as it connects, even
            before its first frame.
          </p>
        </EmptyState>
      )}
      {rows.length > 0 && (
        <>
          <DeviceFilters
            query={query}
            choices={choicesOf(rows)}
            onChange={next => {
              setAll(false)
              const sort = next.sort === WHOLE_FLEET.sort ? undefined : next.sort
              navigate(formatHash('devices', { ...next, sort }), { replace: true })
            }}
          />
          <p class="hint" role="status">
            {found.length === rows.length
              ? plural(rows.length, 'device')
              : `${plural(found.length, 'device')} of ${count(rows.length)}`}
          </p>
          {found.length > 0 ? (
            <DeviceTable rows={drawn} now={now} hub={hub} />
          ) : (
            <EmptyState icon="chip" title="No device is like that">
              <a class="button" href={formatHash('devices')}>
                Show all devices
              </a>
            </EmptyState>
          )}
          {drawn.length < found.length && (
            <button type="button" class="button" onClick={() => setAll(true)}>
              Show all {count(found.length)}
            </button>
          )}
        </>
      )}
      {can('operator') && <EnrolmentList round={`${enrolments} ${seen}`} now={now} />}
    </div>
  )
}

function summary(rows: readonly FleetRow[]): string {
  const reports = rows.flatMap(({ report }): FleetNode[] => (report === undefined ? [] : [report]))
  const online = reports.filter(node => node.online).length
  const cameras = reports.flatMap(node => node.cameras)
  const failed = cameras.filter(({ status }) => status === 'failed').length
  return [
    `${count(online)} of ${plural(rows.length, 'device')} online`,
    `${plural(cameras.length, 'camera')}${failed > 0 ? `, ${count(failed)} failed` : ''}`,
  ].join(' · ')
}
