import type { Frame } from '../api-types.ts'
import { Fact } from '../components/fact.tsx'
import { Ago } from '../components/marks.tsx'
import { EmptyState } from '../components/states.tsx'
import type { FleetRow } from '../device-fleet.ts'
import { formatHash } from '../router.ts'
import { scopeWords } from '../scope-text.ts'
import { useNow } from '../services.ts'
import { useSession } from '../session.tsx'
import { DeviceActions } from './device-actions.tsx'
import { DeviceCard } from './device-card.tsx'
import { DeviceCharts } from './device-charts.tsx'
import { DeviceCommands } from './device-commands.tsx'
import { DeviceConfig } from './device-config.tsx'
import { type HubStanding, StandingPill } from './device-table.tsx'

export interface DevicePageProps {
  /** `site/node`, as the address has it. */
  readonly name: string
  /** Undefined: no such device. */
  readonly row: FleetRow | undefined
  /** Newest frame of each camera, by `site/node/camera`. */
  readonly frames: ReadonlyMap<string, Frame>
  readonly hub: HubStanding
  readonly onChanged: () => void
}

/** All that is known of one device, and all that can be done with it. */
export function DevicePage({ name, row, frames, hub, onChanged }: DevicePageProps) {
  const now = useNow()
  const { scope } = useSession()
  const all = scope === null
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <p class="page-sub">
            <a href={formatHash('devices')}>Devices</a> / {row?.site ?? name}
          </p>
          <h1 class="device-name">
            {row?.node ?? name} {row !== undefined && <StandingPill standing={row.standing} />}
          </h1>
        </div>
        <DeviceActions row={row} onChanged={onChanged} />
      </header>
      {row === undefined && (
        <EmptyState icon="chip" title="There is no such device">
          <p>
            Nothing by the name of {name} has reported to this hub or was enrolled here.{' '}
            <a href={formatHash('devices')}>All devices</a>
          </p>
        </EmptyState>
      )}
      {row !== undefined && row.report === undefined && (
        <EmptyState icon="chip" title="It has never reported">
          <p>
            The device has its credential, and has not connected with it yet. Start the agent on it, and look
            at what <code>sightline-agent doctor</code> says there.
          </p>
        </EmptyState>
      )}
      {row !== undefined && !all && (
        <p class="hint">
          You see {scopeWords(scope)}. Settings, figures and commands of a whole device are for those who see
          all of it.
        </p>
      )}
      {row !== undefined && (
        <div class="device-columns">
          {row.report !== undefined && <DeviceCard node={row.report} now={now} frames={frames} hub={hub} />}
          {all && <DeviceConfig device={row} standing={row.report?.config} now={now} />}
          {all && row.report !== undefined && <DeviceCharts device={row} now={now} />}
          {all && row.report !== undefined && <DeviceCommands node={row.report} now={now} />}
          {row.enrolled !== undefined && <Credential row={row} now={now} />}
        </div>
      )}
    </div>
  )
}

function Credential({ row: { enrolled }, now }: { row: FleetRow; now: number }) {
  if (enrolled === undefined) return null
  const { enrolledAt, lastUsedAt, revokedAt, rotationAskedAt } = enrolled
  return (
    <section class="card device-panel" aria-label="Credential">
      <h2>Credential</h2>
      <dl class="facts">
        <Fact name="Enrolled">
          <Ago iso={enrolledAt} now={now} />
        </Fact>
        <Fact name="Last log-in">{lastUsedAt === null ? 'never' : <Ago iso={lastUsedAt} now={now} />}</Fact>
        {revokedAt !== null && (
          <Fact name="Revoked">
            <Ago iso={revokedAt} now={now} />
          </Fact>
        )}
        {rotationAskedAt !== null && (
          <Fact name="To change its secret">
            asked <Ago iso={rotationAskedAt} now={now} />
          </Fact>
        )}
      </dl>
    </section>
  )
}
