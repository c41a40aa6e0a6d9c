import { checkConfig, createLog, systemClock } from '@sightline/core'
import { createHub, type Hub } from '@sightline/hub/hub.js'
import { HubSettings } from '@sightline/hub/settings.js'

/** A whole hub in this process on a data directory of its own, at free ports. Stop it. */
export async function runningHub(dataDir: string, settings: object = {}): Promise<Hub> {
  const given = { dataDir, http: { port: 0 }, mqtt: { port: 0 }, ...settings }
  const hub = await createHub({
    settings: checkConfig(HubSettings, given, 'test'),
    log: createLog({ name: 'hub', level: 'silent' }),
    clock: systemClock,
    version: '9.9.9',
  })
  await hub.start()
  return hub
}
