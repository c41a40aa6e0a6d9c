import { join, resolve } from 'node:path'
import {
  type Clock,
  exponentialBackoff,
  type FailPoint,
  Lifecycle,
  type Log,
  modelFingerprint,
  setLogLevel,
} from '@sightline/core'
import { canaryPictures } from '@sightline/core/clip/canary.js'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { openModel } from '@sightline/core/clip/open-model.js'
import { ulid } from 'ulid'
import { ActionQueue } from './actions/action-queue.ts'
import { ActionRunner } from './actions/action-runner.ts'
import { openActions } from './actions/open-actions.ts'
import { CameraGroup } from './camera/camera-group.ts'
import { CameraPace } from './camera/camera-pace.ts'
import { openCamera } from './camera/open-camera.ts'
import { CameraSupervisor } from './camera/supervisor.ts'
import { Gate } from './gate.ts'
import { MetricsPage } from './http/metrics-page.ts'
import type { Reading } from './http/reading.ts'
import { StatusServer } from './http/status-server.ts'
import { LateModel } from './late-model.ts'
import { Metrics } from './metrics.ts'
import { EMBEDDED_MODEL, modelCacheDir } from './model-dir.ts'
import { type IncidentStep, Incidents } from './moderation/incidents.ts'
import { RuleCache } from './moderation/rule-cache.ts'
import { Outbox } from './outbox/outbox.ts'
import { Pipeline } from './pipeline.ts'
import { selfReport } from './self-report.ts'
import { type AgentCamera, type AgentSettings, effectiveCameras } from './settings.ts'
import { Storage } from './storage.ts'
import { type BrokerLogin, Link } from './uplink/link.ts'
import { downlinkTopics, type FleetHandlers, Uplink } from './uplink/uplink.ts'

const CAMERA_BACKOFF = { baseMs: 1000, maxMs: 60_000 }
/** Longest wait for a connection on which to say that the model cannot be opened. */
const FAREWELL_MS = 3000
const ACTION_BACKOFF = { baseMs: 1000, maxMs: 300_000 }
const BROKER_BACKOFF = { baseMs: 500, maxMs: 30_000 }

export interface Agent {
  readonly fingerprint: string
  /** Of the status server; 0 while it does not listen. */
  readonly statusPort: number
  start(): Promise<void>
  /** Lets the cameras finish their frames, sends what it can in a bounded time, and closes everything. */
  stop(): Promise<void>
  /** Takes over what can change while it runs: see `appliesLive`. @throws CAMERA_BAD_SOURCE; then nothing has changed */
  apply(settings: AgentSettings): Promise<void>
  /** The model waits for an engine that is being made for this device. */
  readonly building: boolean
  /** Passes a picture through the model in use. @throws MODEL_* */
  probe(): Promise<void>
  counts(): { readonly framesSeen: number; readonly framesEmbedded: number; readonly framesFailed: number }
  /** To the hub, at once. @throws BROKER_UNREACHABLE */
  tell(type: 'cfg/reported' | 'reply', payload: Uint8Array): Promise<void>
  /** The state changed for reasons of its host's. */
  stateChanged(): void
  /** Leaves the broker and logs in again. */
  reconnect(): void
  readonly online: boolean
  readonly cameras: Pick<CameraGroup, 'statuses' | 'nextFrame' | 'restart'>
}

export interface AgentOptions {
  readonly settings: AgentSettings & { readonly node: string }
  readonly log: Log
  readonly clock: Clock
  readonly version: string
  /** Hears of every step in the life of an incident, once it is durably recorded. */
  readonly onIncident?: (step: IncidentStep) => void
  /** Opens the model; default: as `model` in the settings says. */
  readonly open?: typeof openModel
  /** Ed25519 public keys that may sign rules, PEM; none: the first signer seen is trusted, and no other. */
  readonly trustedKeys?: readonly string[]
  /** What the hub decides for this device, and how the device shows itself there. */
  readonly fleet?: FleetHandlers & {
    readonly login: (() => BrokerLogin) | undefined
    readonly configVersion: () => number
  }
  /** Called where a crash is most awkward; for tests that crash there. */
  readonly failPoint?: FailPoint | undefined
}

/** Composition root: the only place where the parts of an agent are made and joined. */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { settings, log, clock, version, fleet, failPoint } = options
  const { onIncident = () => {}, open = openModel } = options
  const dir = resolve(settings.dataDir)
  const address = { site: settings.site, node: settings.node }
  checkSources(settings.cameras, clock)

  const actions = await openActions({ settings: settings.actions, clock, log })
  const { threads, provider, dir: modelDir = EMBEDDED_MODEL } = settings.model
  const manifest = await readManifest(modelDir)
  const space = { fingerprint: modelFingerprint(manifest), dim: manifest.dim }
  const model = new LateModel({
    space,
    open: onState =>
      open({
        dir: modelDir,
        towers: ['image'],
        provider,
        cacheDir: modelCacheDir(dir),
        clock,
        onState: state => {
          log.info(state, 'execution provider')
          onState(state)
        },
        ...(threads > 0 ? { threads } : {}),
      }),
    clock,
    onChange: failed => (failed ? uplink.tellState(FAREWELL_MS) : onChange()),
  })
  const outbox = await Outbox.open({
    dir: join(dir, 'outbox'),
    limits: settings.outbox,
    clock,
    log,
    newId: ulid,
    failPoint,
  })
  const metrics = new Metrics()
  const incidents = new Incidents({ newId: ulid })
  const onChange = () => uplink.stateChanged()
  let rulesGroup = settings.rules.group
  const topics = downlinkTopics(address, model.fingerprint, rulesGroup)
  const { trustedKeys } = options
  const rules = new RuleCache({
    dir: join(dir, 'rules'),
    space,
    topic: topics.rules,
    trustedKeys,
    log,
    onChange,
  })

  const queue = new ActionQueue({
    outbox,
    actions: settings.actions,
    device: address,
    onDrop: ([action]) => {
      metrics.actionsDropped++
      log.warn({ action }, 'too many deliveries wait; the oldest was dropped')
    },
  })
  const runner = new ActionRunner({
    queue,
    actions,
    counts: metrics,
    backoff: exponentialBackoff(ACTION_BACKOFF.baseMs, ACTION_BACKOFF.maxMs),
    clock,
    log,
  })
  const announce = (step: IncidentStep) => {
    runner.poke()
    onIncident(step)
  }
  // Cameras that are no longer configured send nothing that could end their incidents.
  const endAllBut = async (names: ReadonlySet<string>) => {
    const ended = incidents.endAllBut(names)
    await outbox.appendEvents(ended, () => queue.take(ended, rules.current))
    runner.poke()
  }
  const parts = { model, rules, incidents, outbox, actions: queue, metrics, clock, log, onIncident: announce }
  const cameras: CameraGroup = new CameraGroup({
    cameras: effectiveCameras(settings),
    open: camera => {
      const backoff = exponentialBackoff(CAMERA_BACKOFF.baseMs, CAMERA_BACKOFF.maxMs)
      const onDrop = () => {
        metrics.framesDropped++
      }
      const source = openCamera({ settings: camera, clock })
      const supervisor = new CameraSupervisor(
        { camera: source, backoff, clock, log },
        { onStatus: onChange, onDrop },
      )
      const pace = new CameraPace({ clock })
      return {
        status: () => ({ ...supervisor.status(), ...pace.reading() }),
        run: (stopping, tap) => {
          const frames = (signal: AbortSignal) => tap.through(pace.through(supervisor.frames(signal)))
          const gate = new Gate(camera.gate)
          return new Pipeline({ settings: camera, frames, gate, parts: { ...parts, pace } }).run(stopping)
        },
      }
    },
    onChange: endAllBut,
    log,
  })

  const startedMs = clock.monotonic()
  const report = selfReport({
    version,
    settings,
    parts: { model, rules, outbox, actions: queue, cameras, metrics },
    group: () => rulesGroup,
    configVersion: () => fleet?.configVersion() ?? 0,
    uptimeMs: () => clock.monotonic() - startedMs,
  })
  const link = new Link({
    settings: {
      ...settings.broker,
      // Names may hold dots, but no tilde: two devices never share an id.
      clientId: `${address.site}~${address.node}`,
      subscriptions: Object.values(topics),
      ...(fleet?.login === undefined ? {} : { login: fleet.login }),
    },
    backoff: exponentialBackoff(BROKER_BACKOFF.baseMs, BROKER_BACKOFF.maxMs),
    clock,
    log,
  })
  const onRules = (payload: Uint8Array) => rules.offer(payload)
  const uplink: Uplink = new Uplink({
    address,
    settings: settings.uplink,
    space,
    rulesGroup,
    outbox,
    link,
    report,
    onRules,
    ...(fleet === undefined ? {} : { fleet }),
    clock,
    log,
    failPoint,
  })

  const read = (): Reading => ({
    modelReady: model.starting === undefined,
    starting: model.starting?.error ?? model.starting?.phase,
    online: link.up,
    provider: model.provider,
    fingerprint: model.fingerprint,
    rulesVersion: rules.version,
    outbox: outbox.counts,
    outboxMaxBytes: settings.outbox.maxBytes,
    cameras: cameras.statuses(),
  })
  const page = new MetricsPage({ metrics, read, version })
  const status = new StatusServer({ settings: settings.http, page, read, log })

  const storage = new Storage({
    rules,
    outbox,
    onLoaded: async () => {
      incidents.restore(outbox.openIncidents())
      await endAllBut(new Set(settings.cameras.map(({ name }) => name)))
    },
  })
  const lifecycle = new Lifecycle({ services: [status, storage, runner, uplink, model, cameras], log })
  return {
    fingerprint: model.fingerprint,
    get statusPort() {
      return status.port
    },
    start: () => lifecycle.start(),
    stop: async () => {
      await lifecycle.stop()
      // One that was never started has its files open, too.
      await storage.stop()
    },
    apply: async next => {
      await cameras.apply(effectiveCameras(next))
      setLogLevel(log, next.log.level)
      uplink.configure(next.uplink)
      if (next.rules.group !== rulesGroup) {
        rulesGroup = next.rules.group
        rules.moveTo(downlinkTopics(address, model.fingerprint, rulesGroup).rules)
        await uplink.joinGroup(rulesGroup)
      }
      uplink.stateChanged()
    },
    get building() {
      return model.starting?.phase === 'building-engine'
    },
    probe: async () => {
      await model.encodeImages([canaryPictures()[0]])
    },
    counts: () => metrics,
    tell: (type, payload) => uplink.tell(type, payload),
    stateChanged: onChange,
    reconnect: () => link.reconnect(),
    get online() {
      return link.up
    },
    cameras,
  }
}

/** Before anything is opened that would have to be closed again. @throws CAMERA_BAD_SOURCE */
function checkSources(cameras: readonly AgentCamera[], clock: Clock): void {
  for (const settings of cameras) openCamera({ settings, clock })
}
