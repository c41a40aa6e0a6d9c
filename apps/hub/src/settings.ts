import { fault, faultLines, LOG_LEVELS, NAME_PATTERN, type SchemaFault } from '@sightline/core'
import { PROVIDERS } from '@sightline/core/clip/providers.js'
import { type Static, Type } from 'typebox'
import { brokerLimits } from './broker/limit-settings.ts'
import { SearchByUrlSettings, searchByUrlFaults } from './fetch/settings.ts'
import { PostgresIndexSettings } from './index/pgvector/settings.ts'
import { isLoopback } from './loopback.ts'
import { ThumbnailSettings, thumbnailFaults } from './privacy/settings.ts'

const Port = Type.Integer({ minimum: 0, maximum: 65535, description: '0: any free port.' })
const MIB = 1024 * 1024
const LISTEN =
  'Address to listen on. Beyond loopback it speaks TLS only (see tls), unless tls.terminated is set.'

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
        publicUrl: Type.Optional(
          Type.String({
            pattern: '^https?://[^/]',
            maxLength: 2048,
            description:
              'Address by which devices reach the hub; default: the one that they were enrolled by.',
          }),
        ),
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
        ...brokerLimits,
        publicUrl: Type.Optional(
          Type.String({
            pattern: '^mqtts?://[^/]',
            maxLength: 2048,
            description:
              'Address by which devices reach the broker; default: mqtt.port at the host of the hub.',
          }),
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    broker: Type.Object(
      {
        access: Type.Enum(['auto', 'devices', 'open'], {
          default: 'auto',
          description:
            'Who may connect to the broker. devices: enrolled devices with their credential, each to its own topics. auto: the same, but anybody on loopback until the first device is enrolled. open: anybody, any topic; on loopback only, for conformance tests (docs/security.md).',
        }),
        url: Type.Optional(
          Type.String({
            pattern: '^mqtts?://[^/@]+/?$',
            maxLength: 2048,
            description:
              'External MQTT 3.1.1 or 5 broker, used instead of the embedded one (docs/broker.md). broker.access, mqtt.host and the limits under mqtt then do not apply; who may say what, that broker decides.',
          }),
        ),
        clientId: Type.String({
          pattern: NAME_PATTERN,
          default: 'sightline-hub',
          description: 'Of the hub at the external broker; no two hubs may have the same.',
        }),
        username: Type.Optional(
          Type.String({ minLength: 1, maxLength: 256, description: 'Of the hub at the external broker.' }),
        ),
        passwordFile: Type.Optional(
          Type.String({ minLength: 1, description: 'File that holds the password for it.' }),
        ),
        caFile: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'Authority that signed the certificate of the external broker, PEM.',
          }),
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    tls: Type.Object(
      {
        mode: Type.Enum(['auto', 'always'], {
          default: 'auto',
          description: 'auto: beyond loopback. always: on loopback, too.',
        }),
        certFile: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'Certificate with its chain, PEM; default: what sightline-hub certs init made, tls/server.pem in the data directory.',
          }),
        ),
        keyFile: Type.Optional(
          Type.String({ minLength: 1, description: 'Its private key, PEM. Goes with tls.certFile.' }),
        ),
        caFile: Type.Optional(
          Type.String({
            minLength: 1,
            description: 'Authority that devices are to trust, PEM, when it is not a public one.',
          }),
        ),
        terminated: Type.Boolean({
          default: false,
          description:
            'A proxy in front does TLS: the hub then speaks plain on every address. Let nobody but the proxy reach it.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    auth: Type.Object(
      {
        required: Type.Enum(['auto', 'always', 'never'], {
          default: 'auto',
          description:
            'Whether people sign in. auto: beyond loopback or behind a proxy, and everywhere once there has been a user. never: on loopback only (docs/security.md).',
        }),
        sessionIdleMinutes: Type.Integer({
          minimum: 1,
          maximum: 43_200,
          default: 720,
          description: 'A session that is not used for so long ends.',
        }),
        sessionDays: Type.Integer({
          minimum: 1,
          maximum: 365,
          default: 7,
          description: 'A session ends after so long, used or not.',
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
        kind: Type.Enum(['segments', 'postgres'], {
          default: 'segments',
          description:
            'segments: in this process. postgres: in a PostgreSQL server with pgvector, for those who outgrow one machine (docs/scale-out.md).',
        }),
        postgres: PostgresIndexSettings,
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
    thumbnails: ThumbnailSettings,
    searchByUrl: SearchByUrlSettings,
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
  SIGHTLINE_HTTP_PUBLIC_URL: 'http.publicUrl',
  SIGHTLINE_MQTT_PUBLIC_URL: 'mqtt.publicUrl',
  SIGHTLINE_BROKER_ACCESS: 'broker.access',
  SIGHTLINE_BROKER_URL: 'broker.url',
  SIGHTLINE_BROKER_CLIENT_ID: 'broker.clientId',
  SIGHTLINE_BROKER_USERNAME: 'broker.username',
  SIGHTLINE_BROKER_PASSWORD_FILE: 'broker.passwordFile',
  SIGHTLINE_BROKER_CA_FILE: 'broker.caFile',
  SIGHTLINE_AUTH_REQUIRED: 'auth.required',
  SIGHTLINE_TLS_MODE: 'tls.mode',
  SIGHTLINE_TLS_CERT_FILE: 'tls.certFile',
  SIGHTLINE_TLS_KEY_FILE: 'tls.keyFile',
  SIGHTLINE_TLS_CA_FILE: 'tls.caFile',
  SIGHTLINE_TLS_TERMINATED: 'tls.terminated',
  SIGHTLINE_MODEL_DIR: 'model.dir',
  SIGHTLINE_MODEL_PROVIDER: 'model.provider',
  SIGHTLINE_LOG_LEVEL: 'log.level',
  SIGHTLINE_POSTGRES_URL: 'index.postgres.url',
} as const

/** What the schema cannot say. @throws CONFIG_INVALID */
export function checkHubSettings(settings: HubSettings): HubSettings {
  const faults: SchemaFault[] = []
  const { auth, http, mqtt, broker, tls } = settings
  if (auth.required === 'never' && (!isLoopback(http.host) || tls.terminated))
    faults.push({
      path: 'auth.required',
      message: 'never lets everybody in as admin: it needs http.host on loopback, and no tls.terminated',
    })
  if (broker.access === 'open' && (!isLoopback(mqtt.host) || tls.terminated)) {
    faults.push({
      path: 'broker.access',
      message: 'open asks nobody who he is: it needs mqtt.host on loopback, and no tls.terminated',
    })
  }
  if ((tls.certFile === undefined) !== (tls.keyFile === undefined))
    faults.push({ path: 'tls', message: 'certFile and keyFile go together' })
  if (tls.mode === 'always' && tls.terminated)
    faults.push({ path: 'tls', message: 'mode always and terminated exclude each other' })
  faults.push(...thumbnailFaults(settings.thumbnails), ...searchByUrlFaults(settings.searchByUrl))
  const { url, username, passwordFile, caFile } = broker
  if (url === undefined && (username ?? passwordFile ?? caFile) !== undefined)
    faults.push({ path: 'broker', message: 'username, passwordFile and caFile go with url' })
  if (faults.length > 0) throw fault('CONFIG_INVALID', faultLines(faults), { details: { faults } })
  return settings
}
