import { isIP } from 'node:net'
import type { SchemaFault } from '@sightline/core'
import { type Static, Type } from 'typebox'

const MIB = 1024 * 1024

/** Whether the hub fetches pictures from addresses that people give it. */
export const SearchByUrlSettings = Type.Object(
  {
    enabled: Type.Boolean({
      default: false,
      description:
        'Whether people may search by the address of a picture, which the hub then fetches (docs/security.md).',
    }),
    allow: Type.Array(Type.String({ minLength: 3, maxLength: 64 }), {
      default: [],
      maxItems: 100,
      description:
        'Networks, as 10.1.2.0/24, that may be reached although they are not public. All others that are not public are refused.',
    }),
    maxBytes: Type.Integer({ minimum: 1024, maximum: 64 * MIB, default: 10 * MIB }),
    timeoutSeconds: Type.Number({
      exclusiveMinimum: 0,
      maximum: 60,
      default: 10,
      description: 'Longest time for all of it, redirects included.',
    }),
  },
  { additionalProperties: false, default: {} },
)
export type SearchByUrlSettings = Static<typeof SearchByUrlSettings>

export interface Network {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

/** Of `address/prefix`; undefined when it is none. */
export function parseNetwork(text: string): Network | undefined {
  const [, address = '', digits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? []
  const version = isIP(address)
  const prefix = Number(digits)
  if (version === 0 || prefix > (version === 4 ? 32 : 128)) return undefined
  return { address, prefix, family: version === 4 ? 'ipv4' : 'ipv6' }
}

/** What the schema cannot say. */
export function searchByUrlFaults({ allow }: SearchByUrlSettings): SchemaFault[] {
  return allow.flatMap((text, i) =>
    parseNetwork(text) === undefined
      ? [{ path: `searchByUrl.allow.${i}`, message: `${text} is no network: write it as 10.1.2.0/24` }]
      : [],
  )
}
