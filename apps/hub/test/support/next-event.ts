import { type EventEmitter, once } from 'node:events'
import type { MqttClient } from 'mqtt'

/** As `once` of node:events, whose types do not see the emitter that a client is. */
export async function nextEvent(client: MqttClient, name: 'close' | 'message'): Promise<unknown[]> {
  return await once(client as unknown as EventEmitter, name)
}
