import { fault, faultLines, LOG_LEVELS, NAME_PATTERN, type SchemaFault } from '@sightline/core'
import { PROVIDERS } from '@sightline/core/clip/providers.js'
import { type Static, Type } from 'typebox'
import { HttpSettings } from './api/settings.ts'
import { AuthSettings } from './auth/settings.ts'
import { BrokerSettings, MqttSettings } from './broker/settings.ts'
import { SearchByUrlSettings, searchByUrlFaults } from './fetch/settings.ts'
import { IndexSettings } from './index/settings.ts'
import { isLoopback } from './loopback.ts'
import { ThumbnailSettings, thumbnailFaults } from './privacy/settings.ts'
import { TlsSettings } from './tls/settings.ts'

const MIB = 1024 * 1024

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
    http: HttpSettings,
    mqtt: MqttSettings,
    broker: BrokerSettings,
    tls: TlsSettings,
    auth: AuthSettings,
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
    index: IndexSettings,
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
