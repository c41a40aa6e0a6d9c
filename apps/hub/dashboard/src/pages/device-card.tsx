import type { ComponentChildren } from 'preact'
import type { FleetNode, Frame, NodeCamera, NodeStats } from '../api-types.ts'
import { Fact } from '../components/fact.tsx'
import { Ago } from '../components/marks.tsx'
import { bytes, count, duration, millis, plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { formatHash } from '../router.ts'
import { cameraKey } from '../search-query.ts'
import { configCell, type HubStanding, QUIET_AFTER_MS } from './device-table.tsx'
import { StartingNote } from './starting-note.tsx'

/** By reason; what has a place of its own on the card is left out. */
const REMARKS: Readonly<Record<string, string>> = {
  'no-data': 'Connected, but silent',
  'clock-skew': 'Its clock is wrong',
  'outbox-filling': 'Falling behind',
  'outbox-dropped': 'Records were lost',
  'config-rejected': 'The newest configuration was refused',
  'config-pending': 'The newest configuration is not in force',
}

function remarks({ health }: FleetNode) {
  return health.reasons.filter(({ code }) => code in REMARKS)
}

export interface DeviceCardProps {
  readonly node: FleetNode
  readonly now: number
  /** Newest frame of each camera, by `site/node/camera`. */
  readonly frames: ReadonlyMap<string, Frame>
  readonly hub: HubStanding
}

/** How a device is, and how its cameras are. */
export function DeviceCard({ node, now, frames, hub }: DeviceCardProps) {
  const { online, lastDataAt, lastSeenAt, stats } = node
  const quiet = lastDataAt !== null && now - Date.parse(lastDataAt) > QUIET_AFTER_MS
  const config = configCell(node)
  return (
    <section class="card device-panel" aria-label="State">
      <h2>State</h2>
      {remarks(node).map(({ code, message }) => (
        <p key={code + message} class="note note-error">
          <Icon name="alert" />
          <span>
            {REMARKS[code]}: {message}
          </span>
        </p>
      ))}
      <dl class="measures">
        <Measure name="Last data" tone={quiet ? 'warn' : undefined}>
          {lastDataAt === null ? 'none yet' : <Ago iso={lastDataAt} now={now} />}
        </Measure>
        <Measure name="Last heard of">
          <Ago iso={lastSeenAt} now={now} />
        </Measure>
        <Measure name="Rules" tone={rulesTone(node, hub.rulesVersion)}>
          {rulesText(node, hub.rulesVersion)}
        </Measure>
        <Measure name="Configuration" tone={config.warn ? 'warn' : undefined}>
          {config.text}
        </Measure>
        <Measure
          name="Waiting to send"
          tone={stats !== null && stats.outboxRecords > 1000 ? 'warn' : undefined}
        >
          {stats === null ? 'not reported' : `${count(stats.outboxRecords)} (${bytes(stats.outboxBytes)})`}
        </Measure>
        <Measure name="Lost from queue" tone={stats !== null && stats.outboxDropped > 0 ? 'warn' : undefined}>
          {stats === null ? 'not reported' : lostText(stats)}
        </Measure>
      </dl>
      {node.starting !== undefined && (online || node.starting.error !== undefined) && (
        <StartingNote starting={node.starting} now={now} />
      )}
      {node.rulesError !== undefined && (
        <p class="note note-error">
          <Icon name="alert" />
          <span>The newest rules were refused: {node.rulesError}</span>
        </p>
      )}
      {hub.fingerprint !== undefined && node.fingerprint !== null && node.fingerprint !== hub.fingerprint && (
        <p class="note note-error">
          <Icon name="alert" />
          <span>
            Another model than the hub's (<code>{hub.fingerprint}</code>): its frames cannot be compared with
            queries.
          </span>
        </p>
      )}
      <h3>Cameras</h3>
      {node.cameras.length === 0 ? (
        <p class="hint">No camera is configured.</p>
      ) : (
        <ul class="cameras">
          {node.cameras.map(camera => (
            <CameraRow
              key={camera.camera}
              node={node}
              camera={camera}
              lastFrameAt={newestFrameAt(camera, frames.get(cameraKey({ ...node, camera: camera.camera })))}
              now={now}
            />
          ))}
        </ul>
      )}
      <h3>Details</h3>
      <dl class="facts">
        <Fact name="Agent">{node.agent ?? 'not reported'}</Fact>
        <Fact name="Runs on">{node.provider ?? 'not reported'}</Fact>
        <Fact name="Model">
          <code>{node.fingerprint ?? 'not reported'}</code>
        </Fact>
        {stats !== null && (
          <>
            {stats.framesEmbedded > 0 && (
              <>
                <Fact name="Encoding, P50">{millis(stats.encodeP50Ms)} a frame</Fact>
                <Fact name="Decision, P95">{millis(stats.decisionP95Ms)} from capture</Fact>
              </>
            )}
            <Fact name="Frames">
              {count(stats.framesSeen)} seen, {count(stats.framesGated)} unchanged,{' '}
              {count(stats.framesEmbedded)} embedded, {count(stats.framesFailed)} failed
            </Fact>
            <Fact name="Memory">{bytes(stats.rssBytes)}</Fact>
            {stats.temperatureC !== undefined && (
              <Fact name="Temperature">{Math.round(stats.temperatureC)} °C</Fact>
            )}
            <Fact name="Running for">{duration(stats.uptimeSeconds * 1000)}</Fact>
          </>
        )}
      </dl>
    </section>
  )
}

interface CameraRowProps {
  readonly node: FleetNode
  readonly camera: NodeCamera
  readonly lastFrameAt: string | null
  readonly now: number
}

function CameraRow({ node, camera, lastFrameAt, now }: CameraRowProps) {
  const { site, node: name } = node
  const tone =
    camera.status === 'failed' ? 'bad' : camera.status === 'starting' || !node.online ? 'idle' : 'good'
  return (
    <li class="camera">
      <span class={`dot dot-${tone}`} aria-hidden="true" />
      <a href={formatHash('search', { site, node: name, camera: camera.camera })}>{camera.camera}</a>
      <span class="camera-status">{node.online ? camera.status : `${camera.status} when last heard of`}</span>
      <span class="camera-age">
        {lastFrameAt === null ? 'no frame yet' : <Ago iso={lastFrameAt} now={now} />}
      </span>
      {camera.error !== undefined && <p class="camera-error">{camera.error}</p>}
    </li>
  )
}

/** A device reports its cameras once a minute; its frames tell more. */
function newestFrameAt({ lastFrameAt }: NodeCamera, frame: Frame | undefined): string | null {
  if (frame === undefined) return lastFrameAt
  return lastFrameAt === null || lastFrameAt < frame.capturedAt ? frame.capturedAt : lastFrameAt
}

function rulesTone({ rulesVersion }: FleetNode, current: number | undefined): 'warn' | undefined {
  return current !== undefined && rulesVersion !== null && rulesVersion !== current ? 'warn' : undefined
}

function rulesText({ rulesVersion }: FleetNode, current: number | undefined): string {
  if (rulesVersion === null) return 'not reported'
  if (rulesVersion === 0) return 'none applied'
  if (current === undefined || rulesVersion === current) return `version ${rulesVersion}`
  return `version ${rulesVersion}, hub has ${current}`
}

function lostText({
  outboxDropped,
  outboxDroppedEvents = 0,
  outboxDroppedThumbnails = 0,
}: NodeStats): string {
  const parts = [
    outboxDropped > 0 ? plural(outboxDropped, 'record') : '',
    outboxDroppedEvents > 0 ? `${plural(outboxDroppedEvents, 'incident step')} among them` : '',
    outboxDroppedThumbnails > 0 ? plural(outboxDroppedThumbnails, 'thumbnail') : '',
  ]
  return parts.filter(Boolean).join(', ') || 'nothing'
}

function Measure({
  name,
  tone,
  children,
}: {
  name: string
  tone?: 'warn' | undefined
  children: ComponentChildren
}) {
  return (
    <div class={tone === undefined ? 'measure' : `measure measure-${tone}`}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
