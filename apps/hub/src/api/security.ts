import type { FastifyInstance } from 'fastify'
import { isLoopback } from '../loopback.ts'
import { errorBody } from './errors.ts'

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "font-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ')

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Headers for every answer. While the server listens on loopback only, a request must also name a loopback host: a
 * page on another origin whose name was re-bound to 127.0.0.1 (DNS rebinding) is refused. A proxy brings other names.
 */
export function installSecurity(app: FastifyInstance, host: string, { proxied = false } = {}): void {
  app.addHook('onRequest', async (request, reply) => {
    if (isLoopback(host) && !proxied && !LOOPBACK_HOSTS.has(hostName(request.headers.host ?? ''))) {
      return reply
        .status(403)
        .send(errorBody('API_HOST_REFUSED', `host ${request.headers.host ?? '(none)'} is not this machine`))
    }
  })
  app.addHook('onSend', async (_request, reply) => {
    reply.header('content-security-policy', CONTENT_SECURITY_POLICY)
    reply.header('x-content-type-options', 'nosniff')
    reply.header('referrer-policy', 'no-referrer')
    reply.header('cross-origin-resource-policy', 'same-origin')
  })
}

function hostName(header: string): string {
  return header.replace(/:\d+$/, '').toLowerCase()
}
