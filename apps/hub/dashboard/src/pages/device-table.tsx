import type { ComponentChildren } from 'preact'
import type { FleetNode, NodeStats } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import type { FleetRow, Standing } from '../device-fleet.ts'
import { bytes, count, plural } from '../format.ts'
import { formatHash } from '../router.ts'

export const STANDING_NAMES: Readonly<Record<Standing, string>> = {
  healthy: 'Healthy',
  degraded: 'Degraded',
  offline: 'Offline',
  new: 'Never reported',
  revoked: 'Revoked',
}

const TONES: Readonly<Record<Standing, string>> = {
  healthy: 'pill-good',
  degraded: 'pill-warn',
  offline: 'pill-bad',
  new: 'pill-quiet',
  revoked: 'pill-quiet',
}

/** A still scene sends little, so silence is remarked on late. */
export const QUIET_AFTER_MS = 10 * 60_000
/** A queue that a device works off within minutes is no news. */
const LONG_QUEUE = 1000

/** What the hub has, for devices to be compared with; undefined while it is not known. */
export interface HubStanding {
  readonly fingerprint: string | undefined
  readonly rulesVersion: number | undefined
}

export interface DeviceTableProps {
  readonly rows: readonly FleetRow[]
  readonly now: number
  readonly hub: HubStanding
}

/** One row a device; on a narrow screen one card a device. */
export function DeviceTable({ rows, now, hub }: DeviceTableProps) {
  return (
    <div class="card table-scroll">
      <table class="fleet">
        <caption class="visually-hidden">Devices</caption>
        <thead>
          <tr>
            {['Device', 'Health', 'Model', 'Rules', 'Configuration', 'Queue', 'Last data', 'Lost'].map(
              name => (
                <th key={name} scope="col">
                  {name}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map(row => (
            <DeviceRow key={row.key} row={row} now={now} hub={hub} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function DeviceRow({ row, now, hub }: { row: FleetRow; now: number; hub: HubStanding }) {
  const { report, standing } = row
  return (
    <tr>
      <th scope="row">
        <a href={formatHash('devices', { device: row.key })}>{row.node}</a>
        <span class="hint">{row.site}</span>
      </th>
      <Cell name="Health">
        <StandingPill standing={standing} />
        <Reason row={row} now={now} />
      </Cell>
      {report === undefined ? null : <ReportCells node={report} now={now} hub={hub} />}
    </tr>
  )
}

/** The first of what is wrong, in few words. */
function Reason({ row: { report, enrolled, standing }, now }: { row: FleetRow; now: number }) {
  if (standing === 'new' && enrolled !== undefined)
    return (
      <span class="hint">
        enrolled <Ago iso={enrolled.enrolledAt} now={now} />
      </span>
    )
  const reasons = report?.health.reasons.filter(({ code }) => code !== 'offline') ?? []
  const [first] = reasons
  if (standing === 'revoked' || first === undefined) return null
  const more = reasons.length > 1 ? ` and ${reasons.length - 1} more` : ''
  return (
    <span class="hint fleet-reason" title={reasons.map(({ message }) => message).join('\n')}>
      {first.message}
      {more}
    </span>
  )
}

function ReportCells({ node, now, hub }: { node: FleetNode; now: number; hub: HubStanding }) {
  const { stats, lastDataAt } = node
  const otherModel =
    hub.fingerprint !== undefined && node.fingerprint !== null && node.fingerprint !== hub.fingerprint
  const otherRules =
    hub.rulesVersion !== undefined && node.rulesVersion !== null && node.rulesVersion !== hub.rulesVersion
  const quiet = lastDataAt === null || now - Date.parse(lastDataAt) > QUIET_AFTER_MS
  const config = configCell(node)
  return (
    <>
      <Cell name="Model" warn={otherModel}>
        <span title={node.fingerprint ?? undefined}>{modelName(node.fingerprint)}</span>
        <span class="hint">
          {node.provider !== null && `${node.provider}, `}agent {node.agent ?? 'unknown'}
        </span>
      </Cell>
      <Cell name="Rules" warn={otherRules}>
        {node.rulesVersion === null || node.rulesVersion === 0 ? 'none' : `v${node.rulesVersion}`}
      </Cell>
      <Cell name="Configuration" warn={config.warn}>
        {config.text}
      </Cell>
      <Cell name="Queue" warn={stats !== null && stats.outboxRecords > LONG_QUEUE}>
        {stats === null ? '–' : count(stats.outboxRecords)}
        {stats !== null && stats.outboxRecords > 0 && <span class="hint">{bytes(stats.outboxBytes)}</span>}
      </Cell>
      <Cell name="Last data" warn={quiet && node.online}>
        {lastDataAt === null ? 'none yet' : <Ago iso={lastDataAt} now={now} />}
      </Cell>
      <LostCell stats={stats} />
    </>
  )
}

function LostCell({ stats }: { stats: NodeStats | null }) {
  if (stats === null) return <Cell name="Lost">–</Cell>
  const { outboxDropped, outboxDroppedEvents = 0, outboxDroppedThumbnails = 0 } = stats
  return (
    <Cell name="Lost" warn={outboxDropped > 0}>
      {outboxDropped === 0 ? 'nothing' : count(outboxDropped)}
      {outboxDroppedEvents > 0 && <span class="hint">{plural(outboxDroppedEvents, 'incident step')}</span>}
      {outboxDroppedThumbnails > 0 && (
        <span class="hint">{plural(outboxDroppedThumbnails, 'thumbnail')}</span>
      )}
    </Cell>
  )
}

export function StandingPill({ standing }: { standing: Standing }) {
  return <span class={`pill ${TONES[standing]}`}>{STANDING_NAMES[standing]}</span>
}

/** Desired and in force, as short as it can be said. */
export function configCell({ config }: Pick<FleetNode, 'config'>): { text: string; warn: boolean } {
  const { desired, inForce, drift } = config
  const runs = inForce === null ? 'unknown' : inForce === 0 ? 'own file' : `v${inForce}`
  if (desired === null || drift === 'none') return { text: runs, warn: false }
  if (drift === 'in-sync') return { text: `v${desired}`, warn: false }
  return {
    text: drift === 'rejected' ? `${runs}, v${desired} refused` : `${runs}, v${desired} desired`,
    warn: true,
  }
}

/** Of `sightline-mini:1f3a…` the name. */
function modelName(fingerprint: string | null): string {
  return fingerprint === null ? 'not reported' : (fingerprint.split(':')[0] ?? fingerprint)
}

function Cell({
  name,
  warn = false,
  children,
}: {
  readonly name: string
  readonly warn?: boolean
  readonly children: ComponentChildren
}) {
  return (
    <td data-name={name} class={warn ? 'fleet-warn' : undefined}>
      {children}
    </td>
  )
}
