import { loadConfig } from '@sightline/core'
import { checkHubSettings, HUB_ENVIRONMENT, HubSettings } from '../settings.ts'

/** @throws CONFIG_INVALID, CONFIG_UNREADABLE */
export async function readSettings(file: string | undefined): Promise<HubSettings> {
  const source = { schema: HubSettings, file, environment: HUB_ENVIRONMENT, env: process.env }
  return checkHubSettings(await loadConfig(source))
}
