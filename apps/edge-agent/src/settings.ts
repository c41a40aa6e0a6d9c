import { checkConfig, fault, faultLines, LOG_LEVELS, NAME_PATTERN, type SchemaFault } from '@sightline/core'
import { PROVIDERS } from '@sightline/core/clip/providers.js'
import { MODEL_NAME } from '@sightline/models/registry/schema.js'
import { type Static, Type } from 'typebox'
import { Actions, ActionsExec, actionFaults } from './actions/action-settings.ts'

const MIB = 1024 * 1024

/** From most to least. */
export const THUMBNAIL_POLICIES = ['all', 'fired', 'none'] as const
export type ThumbnailPolicy = (typeof THUMBNAIL_POLICIES)[number]
/** From most to least. */
export const THUMBNAIL_DETAILS = ['full', 'blurred'] as const
export type ThumbnailDetail = (typeof THUMBNAIL_DETAILS)[number]

const Gate = Type.Object(
  {
    threshold: Type.Number({
      minimum: 0,
      maximum: 255,
      default: 2.5,
      description:
        'Mean difference of grey values (0 to 255, at 32 x 32) to the last frame that passed, below which a frame is dropped as the same. 0: none is.',
    }),
    maxSilenceSeconds: Type.Number({
      minimum: 1,
      maximum: 300,
      default: 60,
      description: 'A frame passes at least this often, however still the scene.',
    }),
  },
  { additionalProperties: false, default: {} },
)

const Camera = Type.Object(
  {
    name: Type.String({ pattern: NAME_PATTERN }),
    source: Type.String({
      minLength: 1,
      maxLength: 2048,
      description:
        'folder:DIR, http(s)://… (JPEG snapshot or MJPEG), rtsp://…, a video file or /dev/videoN. Credentials may stand in the address.',
    }),
    fps: Type.Number({
      exclusiveMinimum: 0,
      maximum: 60,
      default: 1,
      description: 'Frames a second, at most.',
    }),
    repeat: Type.Boolean({
      default: true,
      description: 'Begin again at the end of a folder or a video file.',
    }),
    thumbnails: Type.Union([Type.Literal('all'), Type.Literal('fired'), Type.Literal('none')], {
      default: 'all',
      description:
        'Which frames take a small JPEG to the hub: all, those on which a rule fires or that lie in its review band, or none.',
    }),
    thumbnailDetail: Type.Union([Type.Literal('full'), Type.Literal('blurred')], {
      default: 'full',
      description:
        'What a thumbnail shows. blurred: colours and coarse shapes of at most 16 pixels a side, made here, so that nothing more leaves the device.',
    }),
    thumbnailPx: Type.Integer({ minimum: 32, maximum: 1024, default: 256, description: 'Longer side.' }),
    gate: Gate,
    timeoutSeconds: Type.Number({
      exclusiveMinimum: 0,
      maximum: 600,
      default: 15,
      description: 'Longest wait for a connection or for the next frame.',
    }),
    maxFrameBytes: Type.Integer({ minimum: 1024, maximum: 256 * MIB, default: 16 * MIB }),
    ffmpegPath: Type.String({ minLength: 1, default: 'ffmpeg' }),
  },
  { additionalProperties: false },
)

/** Configuration of an edge agent. Unknown keys are faults. */
export const AgentSettings = Type.Object(
  {
    site: Type.String({ pattern: NAME_PATTERN, default: 'default' }),
    node: Type.Optional(
      Type.String({ pattern: NAME_PATTERN, description: 'Name of the device; default: its host name.' }),
    ),
    dataDir: Type.String({
      minLength: 1,
      default: './.sightline/agent',
      description: 'Outbox and saved rules. Created when missing.',
    }),
    cameras: Type.Array(Camera, { default: [], maxItems: 256 }),
    thumbnails: Type.Enum([...THUMBNAIL_POLICIES], {
      default: 'all',
      description: 'For all cameras at once: a camera may send fewer thumbnails than this says, never more.',
    }),
    thumbnailDetail: Type.Enum([...THUMBNAIL_DETAILS], {
      default: 'full',
      description: 'For all cameras at once: a camera may show less than this says, never more.',
    }),
    model: Type.Object(
      {
        name: Type.Optional(
          Type.String({
            pattern: MODEL_NAME,
            description:
              "Model of the hub's store, pulled when it is not here yet; goes before `dir`. Needs an enrolled device.",
          }),
        ),
        dir: Type.Optional(
          Type.String({ minLength: 1, description: 'Model directory; default: the embedded model.' }),
        ),
        provider: Type.Enum(['auto', ...PROVIDERS], {
          default: 'auto',
          description:
            'Where the model computes. auto: the fastest that works here and gives the known embeddings. Any other is used or refused, never replaced (docs/providers.md).',
        }),
        threads: Type.Integer({
          minimum: 0,
          maximum: 64,
          default: 0,
          description: 'Threads per inference; 0: one per core, at most 4.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    rules: Type.Object(
      {
        group: Type.String({
          pattern: NAME_PATTERN,
          default: 'all',
          description: 'Group of devices whose rules this one gets; rules name groups in `groups`.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    actions: Actions,
    actionsExec: ActionsExec,
    broker: Type.Object(
      {
        url: Type.String({
          pattern: '^(mqtts?|wss?)://[^/]',
          default: 'mqtt://127.0.0.1:1883',
          description: 'MQTT 3.1.1 broker. Credentials may stand in the address.',
        }),
        keepaliveSeconds: Type.Integer({ minimum: 5, maximum: 3600, default: 30 }),
        connectTimeoutSeconds: Type.Number({ minimum: 1, maximum: 300, default: 15 }),
      },
      { additionalProperties: false, default: {} },
    ),
    uplink: Type.Object(
      {
        window: Type.Integer({
          minimum: 2,
          maximum: 64,
          default: 4,
          description: 'Messages on their way that the hub has not acknowledged.',
        }),
        batchItems: Type.Integer({ minimum: 1, maximum: 256, default: 32 }),
        batchBytes: Type.Integer({ minimum: 4096, maximum: 8 * MIB, default: MIB }),
        ackTimeoutSeconds: Type.Number({
          exclusiveMinimum: 0,
          maximum: 600,
          default: 10,
          description: 'Without an acknowledgement for so long a message is sent again.',
        }),
        replayPerSecond: Type.Number({
          exclusiveMinimum: 0,
          maximum: 100_000,
          default: 256,
          description: 'Highest pace at which records of an outage follow the live ones.',
        }),
        replayShare: Type.Number({
          exclusiveMinimum: 0,
          maximum: 1,
          default: 0.5,
          description: 'Share of the measured bandwidth that they may take; the slower of the two decides.',
        }),
        statsSeconds: Type.Number({ minimum: 1, maximum: 86_400, default: 60 }),
        drainSeconds: Type.Number({
          minimum: 0,
          maximum: 60,
          default: 3,
          description: 'Longest wait for acknowledgements when the agent stops.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    outbox: Type.Object(
      {
        maxBytes: Type.Integer({
          minimum: MIB,
          default: 2048 * MIB,
          description:
            'Disk space for what the hub has not stored yet. Beyond it the oldest thumbnails are dropped, then the oldest frames, incidents last.',
        }),
        minFreeDiskBytes: Type.Integer({
          minimum: 0,
          default: 256 * MIB,
          description: 'Free disk space below which the outbox no longer grows.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    http: Type.Object(
      {
        host: Type.String({
          minLength: 1,
          default: '127.0.0.1',
          description: 'Address for /healthz, /readyz and /metrics of the device. They ask nobody who he is.',
        }),
        port: Type.Optional(
          Type.Integer({
            minimum: 0,
            maximum: 65_535,
            description: 'Their port, by custom 9464; without one nothing listens. 0: any free port.',
          }),
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    log: Type.Object(
      {
        level: Type.Enum([...LOG_LEVELS], { default: 'info' }),
      },
      { additionalProperties: false, default: {} },
    ),
  },
  { additionalProperties: false, $id: 'sightline:agent-settings', title: 'Agent settings' },
)

export type AgentSettings = Static<typeof AgentSettings>
export type AgentCamera = Static<typeof Camera>

/** Environment variables that override a setting. */
export const AGENT_ENVIRONMENT = {
  SIGHTLINE_SITE: 'site',
  SIGHTLINE_NODE: 'node',
  SIGHTLINE_BROKER_URL: 'broker.url',
  SIGHTLINE_DATA_DIR: 'dataDir',
  SIGHTLINE_MODEL_DIR: 'model.dir',
  SIGHTLINE_MODEL_PROVIDER: 'model.provider',
  SIGHTLINE_MODEL_THREADS: 'model.threads',
  // Not SIGHTLINE_HTTP_*: those are the hub's, which may run in the same environment.
  SIGHTLINE_AGENT_HTTP_HOST: 'http.host',
  SIGHTLINE_AGENT_HTTP_PORT: 'http.port',
  SIGHTLINE_LOG_LEVEL: 'log.level',
} as const

/** What the schema cannot say. @throws CONFIG_INVALID */
export function checkAgentSettings(settings: AgentSettings): AgentSettings {
  const faults: SchemaFault[] = []
  const names = new Set<string>()
  for (const [i, { name }] of settings.cameras.entries()) {
    if (names.has(name))
      faults.push({ path: `cameras.${i}.name`, message: `another camera is named ${name}` })
    names.add(name)
  }
  faults.push(...actionFaults(settings))
  if (faults.length > 0) throw fault('CONFIG_INVALID', faultLines(faults), { details: { faults } })
  return settings
}

/** Settings from a plain document, as from a file without one. @throws CONFIG_INVALID */
export function agentSettings(document: Record<string, unknown>): AgentSettings {
  return checkAgentSettings(checkConfig(AgentSettings, document, 'the settings'))
}

/** The cameras under what holds for all of them. */
export function effectiveCameras({ cameras, thumbnails, thumbnailDetail }: AgentSettings): AgentCamera[] {
  return cameras.map(camera => ({
    ...camera,
    thumbnails: lesser(THUMBNAIL_POLICIES, thumbnails, camera.thumbnails),
    thumbnailDetail: lesser(THUMBNAIL_DETAILS, thumbnailDetail, camera.thumbnailDetail),
  }))
}

/** Of two of a list that goes from most to least. */
function lesser<T>(order: readonly T[], a: T, b: T): T {
  return order[Math.max(order.indexOf(a), order.indexOf(b))]!
}
