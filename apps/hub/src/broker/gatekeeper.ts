import { type Clock, fault, type Log, type SightlineError } from '@sightline/core'
import type { DeviceLogins } from '../fleet/device-logins.ts'
import type { DeviceRegistry } from '../fleet/device-registry.ts'
import { QuietLog } from '../ingest/quiet-log.ts'
import { isLoopback } from '../loopback.ts'
import type { HubSettings } from '../settings.ts'
import { AuthBackoff } from './auth-backoff.ts'
import { type Caller, mayWill } from './caller.ts'

/** CONNACK return codes (MQTT 3.1.1, 3.2.2.3). */
const IDENTIFIER_REJECTED = 2
const NOT_AUTHORIZED = 5
/** Of the connection with which a device only looks whether it is let in. */
const VISITOR = '~doctor'

export type Refusal = SightlineError & { readonly returnCode: 2 | 5 }

/** A CONNECT packet, as far as it says who calls. */
export interface ConnectRequest {
  readonly clientId: string
  readonly clean: boolean
  readonly willTopic?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
  /** IP address that the connection comes from. */
  readonly remote?: string | undefined
}

export interface GateStats {
  /** Log-ins refused. */
  authFailures: number
  /** Connections closed unheard, for the failures of their address. */
  authBlocked: number
  /** Publishes outside what the caller may say; each closes its connection. */
  publishesRefused: number
  subscriptionsRefused: number
}

/** What the broker asks. */
export interface Gate {
  readonly stats: GateStats
  /** Whether a connection is to be closed before a byte of it is read. */
  blocks(remote: string | undefined): boolean
  /** @throws Refusal, with the return code for the CONNACK */
  admit(request: ConnectRequest): Caller
  /** Whether somebody who was let in may stay. */
  keeps(caller: Caller): boolean
}

export interface GatekeeperOptions {
  readonly settings: Pick<HubSettings, 'broker' | 'mqtt' | 'tls'>
  readonly fleet: { readonly registry: DeviceRegistry; readonly logins: DeviceLogins }
  readonly clock: Clock
  readonly log: Log
}

/** Decides who gets in. What a caller may then say and hear, `caller.ts` decides. */
export class Gatekeeper implements Gate {
  readonly stats = noStats()
  readonly #settings: GatekeeperOptions['settings']
  readonly #fleet: GatekeeperOptions['fleet']
  readonly #quiet: QuietLog
  readonly #backoff: AuthBackoff

  constructor({ settings, fleet, clock, log }: GatekeeperOptions) {
    this.#settings = settings
    this.#fleet = fleet
    this.#quiet = new QuietLog({ clock, log })
    this.#backoff = new AuthBackoff({ clock })
  }

  blocks(remote: string | undefined): boolean {
    // Behind a proxy everybody has the same address.
    if (this.#settings.tls.terminated || !this.#backoff.blocked(remote)) return false
    this.stats.authBlocked++
    return true
  }

  admit(request: ConnectRequest): Caller {
    try {
      return this.#callerOf(request)
    } catch (error) {
      if ((error as Refusal).returnCode === NOT_AUTHORIZED) {
        this.stats.authFailures++
        this.#backoff.failed(request.remote)
        const { clientId, remote } = request
        const reason = (error as Refusal).message
        this.#quiet.warn({ client: clientId.slice(0, 140), remote, reason }, 'mqtt log-in refused')
      }
      throw error
    }
  }

  keeps(caller: Caller): boolean {
    if (caller.kind === 'open') return true
    return caller.kind === 'demo' ? this.#isDemo() : this.#fleet.logins.holds(caller.login)
  }

  #callerOf({ clientId, clean, willTopic, username, password }: ConnectRequest): Caller {
    refuseNameless(clientId, clean)
    if (this.#settings.broker.access === 'open') return { kind: 'open' }
    const caller = this.#known({ clientId, username, password })
    if (willTopic !== undefined && !mayWill(caller, willTopic))
      throw refusal(NOT_AUTHORIZED, `its will may not go to ${willTopic.slice(0, 300)}`)
    return caller
  }

  #known({
    clientId,
    username,
    password,
  }: Pick<ConnectRequest, 'clientId' | 'username' | 'password'>): Caller {
    // Who shows a credential must hold it, also where nobody is asked for one.
    if (username === undefined && password === undefined && this.#isDemo()) return { kind: 'demo' }
    const login = this.#fleet.logins.login(username ?? '', password ?? '')
    if (login === undefined) throw refusal(NOT_AUTHORIZED, 'no valid device credential')
    if (clientId === username) return { kind: 'device', login }
    if (clientId === `${username}${VISITOR}`) return { kind: 'visitor', login }
    throw refusal(NOT_AUTHORIZED, 'the client id is not that of the credential')
  }

  /** Anybody on this machine, until it gets serious: devices have been enrolled, or a proxy brings strangers. */
  #isDemo(): boolean {
    const { broker, mqtt, tls } = this.#settings
    const local = isLoopback(mqtt.host) && !tls.terminated
    return broker.access === 'auto' && local && !this.#fleet.registry.hasDevices
  }
}

/** A gate without registry: everybody on this machine, within the protocol. */
export function demoGate(): Gate {
  return {
    stats: noStats(),
    blocks: () => false,
    admit: ({ clientId, clean }) => {
      refuseNameless(clientId, clean)
      return { kind: 'demo' }
    },
    keeps: () => true,
  }
}

function refusal(returnCode: 2 | 5, message: string): Refusal {
  const code = returnCode === NOT_AUTHORIZED ? 'CREDENTIAL_REFUSED' : 'PAYLOAD_INVALID'
  return Object.assign(fault(code, message), { returnCode })
}

/** Without an id there is no session to keep (MQTT-3.1.3-8). */
function refuseNameless(clientId: string, clean: boolean): void {
  if (clientId === '' && !clean)
    throw refusal(IDENTIFIER_REJECTED, 'an empty client id needs a clean session')
}

function noStats(): GateStats {
  return { authFailures: 0, authBlocked: 0, publishesRefused: 0, subscriptionsRefused: 0 }
}
