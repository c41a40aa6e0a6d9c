import type { CommandReply, DesiredConfig, ReportedConfig } from '@sightline/core'
import type { ApiClient } from './api.ts'

/** What the hub says of one device and takes for it; times are RFC 3339 strings. */

export interface DeviceAddress {
  readonly site: string
  readonly node: string
}

export interface Enrolment {
  readonly id: string
  /** To be pasted on the device; holds the token, which is never shown again. */
  readonly command: string
  readonly expiresAt: string
}

export interface EnrolledDevice extends DeviceAddress {
  readonly enrolledAt: string
  readonly revokedAt: string | null
}

export type Settings = Readonly<Record<string, unknown>>

export interface ConfigDocument {
  /** 0: nobody has written any. */
  readonly version: number
  readonly settings: Settings
  readonly actor: string | null
  readonly at: string | null
}

export interface DeviceConfig {
  readonly device: ConfigDocument
  readonly site: ConfigDocument
  readonly issued: DesiredConfig | null
  readonly reported: (ReportedConfig & { readonly receivedAt: string }) | null
  readonly drift: { readonly state: string; readonly since: string | null; readonly detail: string | null }
}

export interface DeviceCommand {
  readonly id: string
  readonly command: string
  readonly args: Settings
  readonly actor: string
  readonly issuedAt: string
  readonly expiresAt: string
  readonly status: 'sent' | 'expired' | 'accepted' | 'progress' | 'done' | 'failed'
  readonly replies: readonly (CommandReply & { readonly hasResult?: boolean })[]
}

const pathOf = ({ site, node }: DeviceAddress) =>
  `/devices/${encodeURIComponent(site)}/${encodeURIComponent(node)}`

export function enrol(api: ApiClient, { site, node }: DeviceAddress): Promise<Enrolment> {
  return api.write('POST', '/enrollments', { site, node })
}

export async function enrolledDevices(
  api: ApiClient,
  signal: AbortSignal,
): Promise<readonly EnrolledDevice[]> {
  return (await api.read<{ devices: readonly EnrolledDevice[] }>('/devices', signal)).devices
}

export function revoke(api: ApiClient, device: DeviceAddress): Promise<EnrolledDevice> {
  return api.write('POST', `${pathOf(device)}/revoke`, {})
}

export function deviceConfig(
  api: ApiClient,
  device: DeviceAddress,
  signal: AbortSignal,
): Promise<DeviceConfig> {
  return api.read(`${pathOf(device)}/config`, signal)
}

/** @throws ApiError with status 409 when the settings are no longer at `version`. */
export function putDeviceConfig(
  api: ApiClient,
  device: DeviceAddress,
  change: { readonly settings: Settings; readonly version: number },
): Promise<DeviceConfig> {
  return api.write('PUT', `${pathOf(device)}/config`, change)
}

export function sendCommand(
  api: ApiClient,
  device: DeviceAddress,
  request: { readonly command: string; readonly args: Settings },
): Promise<DeviceCommand> {
  return api.write('POST', `${pathOf(device)}/commands`, request)
}

export function deviceCommand(api: ApiClient, device: DeviceAddress, id: string): Promise<DeviceCommand> {
  return api.read(`${pathOf(device)}/commands/${encodeURIComponent(id)}`)
}
