import { Type } from 'typebox'
import { Host, Port } from '../listen-settings.ts'

const MIB = 1024 * 1024

/** Settings of HTTP. */
export const HttpSettings = Type.Object(
  {
    host: Host,
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
        description: 'Address by which devices reach the hub; default: the one that they were enrolled by.',
      }),
    ),
  },
  { additionalProperties: false, default: {} },
)
