import type { FastifyRequest } from 'fastify'

/** Who asks, as the audit log names him. Without sign-in everybody who reaches the hub is the same. */
export function actorOf(_request: FastifyRequest): string {
  return 'local'
}
