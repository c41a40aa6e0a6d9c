import { join, resolve } from 'node:path'
import {
  type Clock,
  exponentialBackoff,
  Lifecycle,
  type Log,
  modelFingerprint,
  type Service,
} from '@sightline/core'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { openModel } from '@sightline/core/clip/open-model.js'
import { ulid } from 'ulid'
import { ActionQueue } from './actions/action-queue.ts'
import { ActionRunner } from './actions/action-runner.ts'
import { openActions } from './actions/open-actions.ts'
import { openCamera } from './camera/open-camera.ts'
import { CameraSupervisor } from './camera/supervisor.ts'
import { Gate } from './gate.ts'
import { LateModel } from './late-model.ts'
import { Metrics } from './metrics.ts'
import { EMBEDDED_MODEL, modelCacheDir } from './model-dir.ts'
import { type IncidentStep, Incidents } from './moderation/incidents.ts'
import { RuleCache } from './moderation/rule-cache.ts'
import { Outbox } from './outbox/outbox.ts'
import { Pipeline } from './pipeline.ts'
import type { AgentSettings } from './settings.ts'
import { Link } from './uplink/link.ts'
import { downlinkTopics, type SelfReport, Uplink } from './uplink/uplink.ts'

const CAMERA_BACKOFF = { baseMs: 1000, maxMs: 60_000 }
/** Longest wait for a connection on which to say that the model cannot be opened. */
const FAREWELL_MS = 3000
const ACTION_BACKOFF = { baseMs: 1000, maxMs: 300_000 }
const MAX_MISSING_ACTIONS = 64
const BROKER_BACKOFF = { baseMs: 500, maxMs: 30_000 }

export interface Agent {
  readonly fingerprint: string
  start(): Promise<void>
  /** Lets the cameras finish their frames, sends what it can in a bounded time, and closes everything. */
  stop(): Promise<void>
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
}

/** Composition root: the only place where the parts of an agent are made and joined. */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const { settings, log, clock, version, onIncident = () => {}, open = openModel } = options
  const dir = resolve(settings.dataDir)
  const address = { site: settings.site, node: settings.node }
  const cameras = settings.cameras.map(each => ({
    settings: each,
    camera: openCamera({ settings: each, clock }),
  }))

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
  })
  const metrics = new Metrics()
  const incidents = new Incidents({ newId: ulid })
  const onChange = () => uplink.stateChanged()
  const rulesGroup = settings.rules.group
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

  const supervisors = cameras.map(({ camera }) => {
    const backoff = exponentialBackoff(CAMERA_BACKOFF.baseMs, CAMERA_BACKOFF.maxMs)
    const onDrop = () => {
      metrics.framesDropped++
    }
    return new CameraSupervisor({ camera, backoff, clock, log }, { onStatus: onChange, onDrop })
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
  const parts = { model, rules, incidents, outbox, actions: queue, metrics, clock, log, onIncident: announce }
  const pipelines = cameras.map(({ settings: camera }, i) => {
    const frames = (signal: AbortSignal) => supervisors[i]!.frames(signal)
    return new Pipeline({ settings: camera, frames, gate: new Gate(camera.gate), parts })
  })

  const startedMs = clock.monotonic()
  const report: SelfReport = {
    state: () => ({
      agent: version,
      fingerprint: model.fingerprint,
      provider: model.provider,
      ...(model.starting === undefined ? {} : { starting: model.starting }),
      rulesGroup,
      rulesVersion: rules.version,
      configVersion: 0,
      ...(rules.error === undefined ? {} : { rulesError: rules.error }),
      ...missingActions(queue.missing(rules.current?.all() ?? [])),
      cameras: supervisors.map(supervisor => supervisor.status()),
    }),
    stats: () => {
      const { records, bytes, dropped, droppedEvents, droppedThumbnails } = outbox.counts
      return {
        uptimeSeconds: (clock.monotonic() - startedMs) / 1000,
        framesSeen: metrics.framesSeen,
        framesGated: metrics.framesGated,
        framesEmbedded: metrics.framesEmbedded,
        framesFailed: metrics.framesFailed,
        outboxRecords: records,
        outboxBytes: bytes,
        outboxDropped: dropped,
        outboxDroppedEvents: droppedEvents,
        outboxDroppedThumbnails: droppedThumbnails,
        encodeP50Ms: metrics.encode.percentile(50),
        decisionP95Ms: metrics.decision.percentile(95),
        actionsSent: metrics.actionsSent,
        actionsFailed: metrics.actionsFailed,
        actionsDropped: metrics.actionsDropped,
        rssBytes: process.memoryUsage.rss(),
        cameras: supervisors.map(supervisor => supervisor.status()),
      }
    },
  }
  const link = new Link({
    settings: {
      ...settings.broker,
      // Names may hold dots, but no tilde: two devices never share an id.
      clientId: `${address.site}~${address.node}`,
      subscriptions: [topics.rules, topics.ack],
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
    clock,
    log,
  })

  const storage: Service = {
    name: 'storage',
    start: async () => {
      await rules.load()
      incidents.restore(outbox.openIncidents())
      // Cameras that are no longer configured send nothing that could end theirs.
      const ended = incidents.endAllBut(new Set(settings.cameras.map(({ name }) => name)))
      await outbox.appendEvents(ended, () => queue.take(ended, rules.current))
    },
    stop: async () => {
      await rules.close()
      await outbox.close()
    },
  }
  const lifecycle = new Lifecycle({
    services: [storage, runner, uplink, model, new PipelineGroup({ pipelines, log })],
    log,
  })
  return {
    fingerprint: model.fingerprint,
    start: () => lifecycle.start(),
    stop: () => lifecycle.stop(),
  }
}

function missingActions(names: readonly string[]): { missingActions?: string[] } {
  return names.length === 0 ? {} : { missingActions: names.slice(0, MAX_MISSING_ACTIONS) }
}

/** All cameras of an agent, side by side. */
class PipelineGroup implements Service {
  readonly name = 'cameras'
  readonly #pipelines: readonly Pipeline[]
  readonly #log: Log
  readonly #stopping = new AbortController()
  #running: Promise<unknown> | undefined

  constructor({ pipelines, log }: { pipelines: readonly Pipeline[]; log: Log }) {
    this.#pipelines = pipelines
    this.#log = log
  }

  async start(): Promise<void> {
    const { signal } = this.#stopping
    this.#running = Promise.all(
      this.#pipelines.map(pipeline =>
        pipeline.run(signal).catch(err => this.#log.error({ err }, 'a camera was given up')),
      ),
    )
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }
}
