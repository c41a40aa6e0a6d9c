import { fault } from '@sightline/core'
import type { FastifyRequest } from 'fastify'

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * No other site may have a browser change something here. Browsers say where a request comes from (Sec-Fetch-Site, W3C
 * Fetch Metadata; Origin, RFC 6454), which needs neither a token nor a place to keep it. A request that says neither
 * comes from a program, and programs bring no cookie.
 * @throws CROSS_SITE_REFUSED
 */
export function checkSameOrigin({ method, headers, host }: FastifyRequest, hasCookie: boolean): void {
  if (SAFE.has(method)) return
  const site = headers['sec-fetch-site']
  const { origin } = headers
  const same =
    site !== undefined
      ? site === 'same-origin' || (site === 'none' && !hasCookie)
      : origin !== undefined
        ? hostOf(origin) === host
        : !hasCookie
  if (!same) throw fault('CROSS_SITE_REFUSED', `${method} from ${origin ?? 'an unnamed origin'}`)
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined
}
