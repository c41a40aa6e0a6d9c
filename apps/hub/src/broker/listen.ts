import type { Server } from 'node:net'
import { fault, messageOf, type SightlineError } from '@sightline/core'
import type { HubSettings } from '../settings.ts'

type Place = Pick<HubSettings['mqtt'], 'host' | 'port'>

/**
 * Resolves when connections are taken.
 * @throws PORT_IN_USE, CONFIG_INVALID
 */
export async function listen(server: Server, place: Place): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(place.port, place.host, () => {
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
