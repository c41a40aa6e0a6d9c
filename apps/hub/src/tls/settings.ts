import { Type } from 'typebox'

/** Settings of TLS, of HTTP and MQTT alike. */
export const TlsSettings = Type.Object(
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
)
