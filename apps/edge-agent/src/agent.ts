import { join, resolve } from 'node:path'
import {
  type Clock,
  exponentialBackoff,
  Lifecycle,
  type Log,
  type Service,
  setLogLevel,
} from '@sightline/core'
import { canaryPictures } from '@sightline/core/clip/canary.js'
import { openModel } from '@sightline/core/clip/open-model.js'
import { ulid } from 'ulid'
import { CameraGroup } from './camera/camera-group.ts'
import { openCamera } from './camera/open-camera.ts'
import { CameraSupervisor } from './camera/supervisor.ts'
import { Gate } from './gate.ts'
import { Metrics } from './metrics.ts'
import { EMBEDDED_MODEL, modelCacheDir } from './model-dir.ts'
import { type IncidentStep, Incidents } from './moderation/incidents.ts'
import { RuleCache } from './moderation/rule-cache.ts'
import { Outbox } from './outbox/outbox.ts'
import { Pipeline } from './pipeline.ts'
import { type AgentCamera, type AgentSettings, effectiveCameras } from './settings.ts'
import { type BrokerLogin, Link } from './uplink/link.ts'
import { downlinkTopics, type FleetHandlers, type SelfReport, Uplink } from './uplink/uplink.ts'

const CAMERA_BACKOFF = { baseMs: 1000, maxMs: 60_000 }
const BROKER_BACKOFF = { baseMs: 500, maxMs: 30_000 }

export interface Agent {
  readonly fingerprint: string
  start(): Promise<void>
  /** Lets the cameras finish their frames, sends what it can in a bounded time, and closes everything. */
  stop(): Promise<void>
  /** Takes over what can change while it runs: see `appliesLive`. @throws CAMERA_BAD_SOURCE; then nothing has changed */
  apply(settings: AgentSettings): Promise<void>
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
  /** What the hub decides for this device, and how the device shows itself there. */
  readonly fleet?: FleetHandlers & {
    readonly login: (() => BrokerLogin) | undefined
    readonly configVersion: () => number
  }
}

/** Composition root: the only place where the parts of an agent are made and joined. */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { settings, log, clock, version, onIncident = () => {}, fleet } = options
  const dir = resolve(settings.dataDir)
  const address = { site: settings.site, node: settings.node }
  checkSources(settings.cameras, clock)

  const { threads, provider } = settings.model
  const { model, choice } = await openModel({
    dir: settings.model.dir ?? EMBEDDED_MODEL,
    towers: ['image'],
    provider,
    cacheDir: modelCacheDir(dir),
    clock,
    onState: state => log.info(state, 'execution provider'),
    ...(threads > 0 ? { threads } : {}),
  })
  const space = { fingerprint: model.fingerprint, dim: model.dim }
  const outbox = await Outbox.open({
    dir: join(dir, 'outbox'),
    limits: settings.outbox,
    clock,
    log,
    newId: ulid,
  })
  const metrics = new Metrics()
  const incidents = new Incidents({ newId: ulid })
  const onChange = () => uplink.stateChanged()
  const rules = new RuleCache({ dir: join(dir, 'rules'), space, log, onChange })

  const parts = { model, rules, incidents, outbox, metrics, clock, log, onIncident }
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
      return {
        status: () => supervisor.status(),
        run: (stopping, tap) => {
          const frames = (signal: AbortSignal) => tap.through(supervisor.frames(signal))
          return new Pipeline({ settings: camera, frames, gate: new Gate(camera.gate), parts }).run(stopping)
        },
      }
    },
    // Cameras that are no longer configured send nothing that could end their incidents.
    onChange: names => outbox.appendEvents(incidents.endAllBut(names)),
    log,
  })

  const startedMs = clock.monotonic()
  let rulesGroup = settings.rules.group
  const report: SelfReport = {
    state: () => ({
      agent: version,
      fingerprint: model.fingerprint,
      provider: choice.provider,
      rulesGroup,
      rulesVersion: rules.version,
      configVersion: fleet?.configVersion() ?? 0,
      ...(rules.error === undefined ? {} : { rulesError: rules.error }),
      cameras: cameras.statuses(),
    }),
    stats: () => {
      const { records, bytes, dropped } = outbox.counts
      return {
        uptimeSeconds: (clock.monotonic() - startedMs) / 1000,
        framesSeen: metrics.framesSeen,
        framesGated: metrics.framesGated,
        framesEmbedded: metrics.framesEmbedded,
        framesFailed: metrics.framesFailed,
        outboxRecords: records,
        outboxBytes: bytes,
        outboxMaxBytes: settings.outbox.maxBytes,
        outboxDropped: dropped,
        encodeP50Ms: metrics.encode.percentile(50),
        decisionP95Ms: metrics.decision.percentile(95),
        rssBytes: process.memoryUsage.rss(),
        cameras: cameras.statuses(),
      }
    },
  }
  const link = new Link({
    settings: {
      ...settings.broker,
      // Names may hold dots, but no tilde: two devices never share an id.
      clientId: `${address.site}~${address.node}`,
      subscriptions: Object.values(downlinkTopics(address, model.fingerprint, rulesGroup)),
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
    outbox,
    link,
    report,
    onRules,
    rulesGroup,
    ...(fleet === undefined ? {} : { fleet }),
    clock,
    log,
  })

  let closing: Promise<void> | undefined
  const storage: Service = {
    name: 'storage',
    start: async () => {
      try {
        await rules.load()
        incidents.restore(outbox.openIncidents())
        // Cameras that are no longer configured send nothing that could end theirs.
        await outbox.appendEvents(incidents.endAllBut(new Set(settings.cameras.map(({ name }) => name))))
        await model.warmUp()
      } catch (error) {
        // What failed to start is not stopped, and another agent may follow in this process.
        await storage.stop()
        throw error
      }
    },
    stop: () => {
      closing ??= model
        .close()
        .then(() => rules.close())
        .then(() => outbox.close())
      return closing
    },
  }
  const lifecycle = new Lifecycle({ services: [storage, uplink, cameras], log })
  return {
    fingerprint: model.fingerprint,
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
        rules.leaveGroup()
        await uplink.joinGroup(rulesGroup)
      }
      uplink.stateChanged()
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
