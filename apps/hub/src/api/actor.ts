import type { FastifyRequest } from 'fastify'

/** Who asks, as the audit log names him. */
export function actorOf(request: FastifyRequest): string {
  return request.caller.actor
}
