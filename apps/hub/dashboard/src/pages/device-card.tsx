import type { ComponentChildren } from 'preact'
import type { FleetNode, Frame, NodeCamera } from '../api-types.ts'
import { Fact } from '../components/fact.tsx'
import { Ago } from '../components/marks.tsx'
import type { EnrolledDevice } from '../fleet-api.ts'
import { bytes, count, duration, millis } from '../format.ts'
import { Icon } from '../icons.tsx'
import { formatHash } from '../router.ts'
import { cameraKey } from '../search-query.ts'
import { DeviceActions } from './device-actions.tsx'
import { StartingNote } from './starting-note.tsx'

/** A still scene sends little, so silence is remarked on late. */
const QUIET_AFTER_MS = 10 * 60_000

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
  readonly hubFingerprint: string | undefined
  readonly hubRulesVersion: number | undefined
  readonly enrolled: EnrolledDevice | undefined
  readonly onRevoked: () => void
}

export function DeviceCard(props: DeviceCardProps) {
  const { node, now, frames, hubFingerprint, hubRulesVersion, enrolled, onRevoked } = props
  const { online, lastDataAt, lastSeenAt, stats } = node
  const quiet = lastDataAt !== null && now - Date.parse(lastDataAt) > QUIET_AFTER_MS
  return (
    <article class="card device">
      <header class="device-head">
        <Icon name="chip" />
        <div>
          <h2>{node.node}</h2>
          <p class="hint">site {node.site}</p>
        </div>
        {online && node.health.status === 'degraded' && <span class="pill pill-warn">Degraded</span>}
        <span class={online ? 'pill pill-good' : 'pill pill-bad'}>{online ? 'Online' : 'Offline'}</span>
      </header>
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
        <Measure name="Rules" tone={rulesTone(node, hubRulesVersion)}>
          {rulesText(node, hubRulesVersion)}
        </Measure>
        <Measure
          name="Waiting to send"
          tone={stats !== null && stats.outboxRecords > 1000 ? 'warn' : undefined}
        >
          {stats === null ? 'not reported' : `${count(stats.outboxRecords)} (${bytes(stats.outboxBytes)})`}
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
      {hubFingerprint !== undefined && node.fingerprint !== null && node.fingerprint !== hubFingerprint && (
        <p class="note note-error">
          <Icon name="alert" />
          <span>
            Another model than the hub's (<code>{hubFingerprint}</code>): its frames cannot be compared with
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
      <details class="device-more">
        <summary>Details</summary>
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
              <Fact name="Lost from queue">{count(stats.outboxDropped)}</Fact>
              <Fact name="Memory">{bytes(stats.rssBytes)}</Fact>
              <Fact name="Running for">{duration(stats.uptimeSeconds * 1000)}</Fact>
            </>
          )}
        </dl>
      </details>
      <DeviceActions node={node} enrolled={enrolled} onRevoked={onRevoked} />
    </article>
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
