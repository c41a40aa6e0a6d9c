import { LOG_LEVELS, NAME_PATTERN } from '@sightline/core'
import { PROVIDERS } from '@sightline/core/clip/providers.js'
import { type Static, Type } from 'typebox'

const Port = Type.Integer({ minimum: 0, maximum: 65535, description: '0: any free port.' })
const MIB = 1024 * 1024
const LISTEN =
  'Address to listen on. There is no sign-in yet: keep it on loopback or inside a network that you trust.'

/** Configuration of a hub. Unknown keys are faults; every setting has a default. */
export const HubSettings = Type.Object(
  {
    dataDir: Type.String({
      minLength: 1,
      default: './.sightline/hub',
      description: 'Records, index files and thumbnails. Created when missing.',
    }),
    sites: Type.Array(Type.String({ pattern: NAME_PATTERN }), {
      default: ['default'],
      maxItems: 1000,
      description:
        'Sites that get the rules before any of their devices has reported; others join when they do.',
    }),
    http: Type.Object(
      {
        host: Type.String({ minLength: 1, default: '127.0.0.1', description: LISTEN }),
        port: Type.Integer({ ...Port, default: 8080 }),
        maxBodyBytes: Type.Integer({
          minimum: 1024,
          maximum: 256 * MIB,
          default: 16 * MIB,
          description: 'Largest request, pictures included.',
        }),
        requestTimeoutMs: Type.Integer({
          minimum: 1000,
          maximum: 600_000,
          default: 30_000,
          description: 'Longest time for a request to arrive.',
        }),
        maxLiveClients: Type.Integer({
          minimum: 1,
          maximum: 10_000,
          default: 100,
          description: 'Dashboards that may watch live at once.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    mqtt: Type.Object(
      {
        host: Type.String({ minLength: 1, default: '127.0.0.1', description: LISTEN }),
        port: Type.Integer({ ...Port, default: 1883 }),
        maxPacketBytes: Type.Integer({
          minimum: 1024,
          maximum: 256 * MIB,
          default: 8 * MIB,
          description: 'A larger MQTT packet closes its connection.',
        }),
        maxConnections: Type.Integer({
          minimum: 1,
          maximum: 100_000,
          default: 1000,
          description: 'More MQTT connections are refused.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    model: Type.Object(
      {
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
    models: Type.Object(
      {
        storeDir: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'Model store that devices pull from, under /models; default: models in the data directory.',
          }),
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    index: Type.Object(
      {
        sealAt: Type.Integer({
          minimum: 64,
          maximum: 1_000_000,
          default: 4096,
          description: 'Vectors searched exactly before they are sealed into an HNSW segment.',
        }),
        maxSegment: Type.Integer({
          minimum: 1024,
          maximum: 4_000_000,
          default: 262_144,
          description:
            'Vectors of the largest segment that merging makes; building one takes some 2.3 kB a vector at 512 dimensions.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    store: Type.Object(
      {
        minFreeBytes: Type.Integer({
          minimum: 0,
          default: 256 * MIB,
          description:
            'Free disk space below which nothing is accepted any more; devices then keep their records.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    moderation: Type.Object(
      {
        learnFromReviews: Type.Boolean({
          default: true,
          description: 'Whether reviewed incidents calibrate the rule that raised them.',
        }),
        learnDelaySeconds: Type.Number({
          minimum: 0,
          maximum: 86_400,
          default: 60,
          description: 'Time between a review and the rules that learnt from it; others wait along.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    homeAssistant: Type.Object(
      {
        enabled: Type.Boolean({
          default: false,
          description:
            "Whether Home Assistant sees each camera and rule as a binary sensor, on the hub's broker.",
        }),
        prefix: Type.String({
          pattern: NAME_PATTERN,
          default: 'homeassistant',
          description: 'Discovery prefix that Home Assistant is set to.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    retention: Type.Object(
      {
        days: Type.Number({
          minimum: 0,
          maximum: 36_500,
          default: 0,
          description: 'Frames and incidents older than this are deleted, within the hour; 0: never.',
        }),
        maxFramesPerCamera: Type.Integer({
          minimum: 0,
          default: 0,
          description: 'The oldest frames of a camera beyond so many are deleted, within the hour; 0: never.',
        }),
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
  { additionalProperties: false, $id: 'sightline:hub-settings', title: 'Hub settings' },
)

export type HubSettings = Static<typeof HubSettings>

/** Environment variables that override a setting. */
export const HUB_ENVIRONMENT = {
  SIGHTLINE_DATA_DIR: 'dataDir',
  SIGHTLINE_HTTP_HOST: 'http.host',
  SIGHTLINE_HTTP_PORT: 'http.port',
  SIGHTLINE_MQTT_HOST: 'mqtt.host',
  SIGHTLINE_MQTT_PORT: 'mqtt.port',
  SIGHTLINE_MODEL_DIR: 'model.dir',
  SIGHTLINE_MODEL_PROVIDER: 'model.provider',
  SIGHTLINE_LOG_LEVEL: 'log.level',
} as const
