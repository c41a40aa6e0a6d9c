import { hostname } from 'node:os'
import { isLoopback } from '../loopback.ts'
import type { HubSettings } from '../settings.ts'
import { speaksTls } from '../tls/exposure.ts'
import type { HubUrls } from './enrolment-desk.ts'

export interface ListeningHub {
  readonly settings: HubSettings
  /** Ports listened on, where the settings leave them open. */
  readonly httpPort: number
  readonly mqttPort: number
}

/**
 * How devices reach the hub: as configured, else by `requestHost`, the name that somebody has just reached it by, else by
 * the name of this machine.
 */
export function hubUrls({ settings, httpPort, mqttPort }: ListeningHub, requestHost?: string): HubUrls {
  const { http, mqtt, tls } = settings
  const secure = speaksTls(tls, http.host) || tls.terminated
  const hubUrl =
    http.publicUrl ??
    `${secure ? 'https' : 'http'}://${usable(requestHost, http.host) ?? `${ownName(http.host)}:${httpPort}`}`
  const scheme = speaksTls(tls, mqtt.host) || tls.terminated ? 'mqtts' : 'mqtt'
  return {
    hubUrl,
    brokerUrl: mqtt.publicUrl ?? `${scheme}://${new URL(hubUrl).hostname}:${mqttPort}`,
  }
}

/** What a person pastes on the device. */
export function enrolCommand(hubUrl: string, token: string): string {
  return `sightline-agent enroll --hub ${hubUrl} --token ${token}`
}

/** A name that only this machine knows is of no use to a device elsewhere. */
function usable(requestHost: string | undefined, listening: string): string | undefined {
  if (requestHost === undefined || !URL.canParse(`http://${requestHost}`)) return undefined
  const name = new URL(`http://${requestHost}`).hostname.replace(/^\[|\]$/g, '')
  return isLoopback(name) && !isLoopback(listening) ? undefined : requestHost
}

function ownName(listening: string): string {
  const everywhere = listening === '0.0.0.0' || listening === '::'
  const name = everywhere ? hostname() : listening
  return name.includes(':') ? `[${name}]` : name
}
