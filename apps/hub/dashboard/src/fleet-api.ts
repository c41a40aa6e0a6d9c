import type { CommandReply, DesiredConfig, ReportedConfig } from '@sightline/core'
import type { ApiClient } from './api.ts'
import type { DriftState } from './api-types.ts'

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
  /** Latest log-in, to the minute. */
  readonly lastUsedAt: string | null
  /** Since when it is to change its secret; null once it has. */
  readonly rotationAskedAt: string | null
}

/** A token that nobody has used yet. */
export interface OpenEnrolment extends DeviceAddress {
  readonly id: string
  readonly createdAt: string
  readonly expiresAt: string
  readonly createdBy: string
}

/** One device, or, without `node`, all devices of a site. */
export interface ConfigTarget {
  readonly site: string
  readonly node?: string
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
  readonly drift: {
    readonly state: DriftState
    readonly since: string | null
    readonly detail: string | null
  }
}

/** One step of what a device reported; what is lost is since the step before. */
export interface StatsPoint {
  readonly at: string
  /** Nothing is known of the time before. */
  readonly gap: boolean
  readonly seenPerSecond: number
  readonly embeddedPerSecond: number
  readonly failedFrames: number
  readonly encodeP50Ms: number
  readonly decisionP95Ms: number
  readonly queueRecords: number
  readonly queueBytes: number
  readonly lostRecords: number
  readonly lostEvents: number
  readonly lostThumbnails: number
  readonly rssBytes: number
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

export async function openEnrolments(api: ApiClient, signal: AbortSignal): Promise<readonly OpenEnrolment[]> {
  return (await api.read<{ enrollments: readonly OpenEnrolment[] }>('/enrollments', signal)).enrollments
}

export async function withdrawEnrolment(api: ApiClient, id: string): Promise<void> {
  await api.write('DELETE', `/enrollments/${encodeURIComponent(id)}`, {})
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

const configPath = ({ site, node }: ConfigTarget) =>
  node === undefined ? `/sites/${encodeURIComponent(site)}/config` : `${pathOf({ site, node })}/config`

export function siteConfig(api: ApiClient, site: string, signal: AbortSignal): Promise<ConfigDocument> {
  return api.read(configPath({ site }), signal)
}

/** @throws ApiError with status 409 when the settings are no longer at `version`. */
export async function putConfig(
  api: ApiClient,
  target: ConfigTarget,
  change: { readonly settings: Settings; readonly version: number },
): Promise<void> {
  await api.write('PUT', configPath(target), change)
}

/** Newest first. */
export async function configHistory(
  api: ApiClient,
  target: ConfigTarget,
  signal: AbortSignal,
): Promise<readonly ConfigDocument[]> {
  const path = `${configPath(target)}/history`
  return (await api.read<{ changes: readonly ConfigDocument[] }>(path, signal)).changes
}

/** Oldest first. */
export async function deviceStats(
  api: ApiClient,
  device: DeviceAddress,
  { hours, signal }: { readonly hours: number; readonly signal: AbortSignal },
): Promise<readonly StatsPoint[]> {
  const path = `${pathOf(device)}/stats?hours=${hours}`
  return (await api.read<{ points: readonly StatsPoint[] }>(path, signal)).points
}

/** Newest first, without their results. */
export async function deviceCommands(
  api: ApiClient,
  device: DeviceAddress,
  signal: AbortSignal,
): Promise<readonly DeviceCommand[]> {
  return (await api.read<{ commands: readonly DeviceCommand[] }>(`${pathOf(device)}/commands`, signal))
    .commands
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
