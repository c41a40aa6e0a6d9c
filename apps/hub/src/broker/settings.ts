import { NAME_PATTERN } from '@sightline/core'
import { Type } from 'typebox'
import { Host, Port } from '../listen-settings.ts'
import { brokerLimits } from './limit-settings.ts'

const MIB = 1024 * 1024

/** Settings of the embedded broker. */
export const MqttSettings = Type.Object(
  {
    host: Host,
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
        description: 'Address by which devices reach the broker; default: mqtt.port at the host of the hub.',
      }),
    ),
  },
  { additionalProperties: false, default: {} },
)

/** Settings of who may connect, and of an external broker. */
export const BrokerSettings = Type.Object(
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
)
