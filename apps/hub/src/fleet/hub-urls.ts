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
 * How devices reach the hub: as configured, else by `requestHost`, the name that the device has just reached it by, else
 * by the name of this machine.
 */
export function hubUrls({ settings, httpPort, mqttPort }: ListeningHub, requestHost?: string): HubUrls {
  const { http, mqtt, broker, tls } = settings
  const secure = speaksTls(tls, http.host) || tls.terminated
  const host = isHost(requestHost) ? requestHost : `${ownName(http.host)}:${httpPort}`
  const hubUrl = http.publicUrl ?? `${secure ? 'https' : 'http'}://${host}`
  const scheme = speaksTls(tls, mqtt.host) || tls.terminated ? 'mqtts' : 'mqtt'
  return {
    hubUrl,
    brokerUrl: mqtt.publicUrl ?? broker.url ?? `${scheme}://${new URL(hubUrl).hostname}:${mqttPort}`,
  }
}

/** The same for a device that somebody else asks for: what he calls this machine may be of no use to it. */
export function hubUrlsElsewhere(hub: ListeningHub, requestHost: string): HubUrls {
  const name = isHost(requestHost) ? new URL(`http://${requestHost}`).hostname.replace(/^\[|\]$/g, '') : ''
  return hubUrls(hub, isLoopback(name) && !isLoopback(hub.settings.http.host) ? undefined : requestHost)
}

/** What a person pastes on the device. */
export function enrolCommand(hubUrl: string, token: string): string {
  return `sightline-agent enroll --hub ${hubUrl} --token ${token}`
}

function isHost(text: string | undefined): text is string {
  return text !== undefined && text !== '' && URL.canParse(`http://${text}`)
}

function ownName(listening: string): string {
  const everywhere = listening === '0.0.0.0' || listening === '::'
  const name = everywhere ? hostname() : listening
  return name.includes(':') ? `[${name}]` : name
}
