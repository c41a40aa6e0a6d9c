import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { type DeviceCredential, fault, isName, loadConfig } from '@sightline/core'
import { credentialPath, readCredential } from './enroll/credential.ts'
import type { DeviceSettings } from './fleet/remote-settings.ts'
import { AGENT_ENVIRONMENT, AgentSettings, checkAgentSettings } from './settings.ts'

export interface OwnSettings {
  readonly settings: DeviceSettings
  readonly credential: DeviceCredential | undefined
}

/**
 * The device's own settings: file and environment, laid over what the credential says.
 * @throws CONFIG_UNREADABLE; CONFIG_INVALID, also when site or node are not those of the credential; CREDENTIAL_DAMAGED
 */
export async function loadOwnSettings(file: string | undefined): Promise<OwnSettings> {
  const source = sourceOf(file)
  // Twice: only the settings say where the credential lies.
  const credential = await readCredential(credentialPath(await dataDirOf(file)))
  if (credential === undefined) {
    const settings = checkAgentSettings(await loadConfig(source))
    return { settings: { ...settings, node: settings.node ?? nodeName() }, credential }
  }
  const { site, node, brokerUrl } = credential
  const settings = checkAgentSettings(
    await loadConfig({ ...source, base: { site, node, broker: { url: brokerUrl } } }),
  )
  if (settings.site !== site || settings.node !== node) {
    throw fault(
      'CONFIG_INVALID',
      `site, node: the device is enrolled as ${site}/${node}, not as ${settings.site}/${settings.node}; leave them out`,
    )
  }
  return { settings: { ...settings, node }, credential }
}

/** Absolute. @throws CONFIG_UNREADABLE, CONFIG_INVALID */
export async function dataDirOf(file: string | undefined): Promise<string> {
  return resolve((await loadConfig(sourceOf(file))).dataDir)
}

function sourceOf(file: string | undefined) {
  return { schema: AgentSettings, file, environment: AGENT_ENVIRONMENT, env: process.env }
}

/** The host name as far as a topic may hold it. */
function nodeName(): string {
  const name = hostname()
    .replace(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, 64)
  return isName(name) ? name : 'agent'
}
