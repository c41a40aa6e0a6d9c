import type { Server } from 'node:net'
import { fault, messageOf, type SightlineError } from '@sightline/core'
import type { HubSettings } from '../settings.ts'

/**
 * Connections that wait to be taken, as far as the kernel lets so many wait (net.core.somaxconn). Beyond Node's 511 a fleet
 * that comes back at once was left with sockets that were open on one side alone.
 */
const BACKLOG = 4096

type Place = Pick<HubSettings['mqtt'], 'host' | 'port'>

/**
 * Resolves when connections are taken.
 * @throws PORT_IN_USE, CONFIG_INVALID
 */
export async function listen(server: Server, place: Place): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ port: place.port, host: place.host, backlog: BACKLOG }, () => {
        server.off('error', reject)
        resolve()
      })
    })
  } catch (cause) {
    throw listenFault(cause as NodeJS.ErrnoException, place)
  }
}

function listenFault(cause: NodeJS.ErrnoException, { host, port }: Place): SightlineError {
  if (cause.code === 'EADDRINUSE') {
    return fault('PORT_IN_USE', `MQTT port ${port} on ${host} is taken`, { cause })
  }
  return fault('CONFIG_INVALID', `mqtt.host, mqtt.port: ${messageOf(cause)}`, { cause })
}
