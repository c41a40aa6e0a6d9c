import { ERRORS, fault, messageOf, redactUrl } from '@sightline/core'
import { connect } from 'mqtt'
import { type BrokerLogin, isLoginRefused } from '../uplink/link.ts'
import type { Finding } from './finding.ts'

export interface HubCheckOptions {
  readonly broker: { readonly url: string; readonly connectTimeoutSeconds: number }
  /** Not the agent's own: that would throw a running agent off the broker. */
  readonly clientId: string
  /** Address of the hub's HTTP side, for the clock. */
  readonly httpUrl?: string
  readonly login?: BrokerLogin
  /** Of an agent that runs: whether it is connected. */
  readonly online?: boolean
}

/** The Date header counts whole seconds, so less cannot be told from nothing. */
const MAX_SKEW_MS = 2000
const HTTP_TIMEOUT_MS = 5000

export async function examineHub(options: HubCheckOptions): Promise<Finding[]> {
  return Promise.all([broker(options), clock(options)])
}

async function broker({
  broker: { url, connectTimeoutSeconds },
  clientId,
  login,
  online,
}: HubCheckOptions): Promise<Finding> {
  const address = redactUrl(url)
  const base = { group: 'Hub', name: 'broker' } as const
  if (online) return { ...base, mark: 'ok', text: `connected to ${address}`, data: { address } }
  const startedMs = performance.now()
  const timeoutMs = connectTimeoutSeconds * 1000
  const reason = await tryConnect(url, { clientId, timeoutMs, login })
  const afterMs = Math.round(performance.now() - startedMs)
  if (reason === undefined)
    return { ...base, mark: 'ok', text: `${address} answered in ${afterMs} ms`, data: { address, afterMs } }
  const code = isLoginRefused(reason) ? 'CREDENTIAL_REFUSED' : 'BROKER_UNREACHABLE'
  return {
    ...base,
    mark: 'fail',
    text: `${code}: ${address}: ${redactUrl(reason.message)}`,
    advice: ERRORS[code].remedy,
    data: { address, code },
  }
}

/** @returns why there is no connection; undefined when there was one */
function tryConnect(
  url: string,
  { clientId, timeoutMs, login }: { clientId: string; timeoutMs: number; login: BrokerLogin | undefined },
): Promise<Error | undefined> {
  return new Promise(resolve => {
    const client = connect(url, {
      clientId,
      ...login,
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      connectTimeout: timeoutMs,
    })
    let reason: Error | undefined = fault('BROKER_UNREACHABLE', 'the broker closed the connection')
    client.on('error', error => {
      // Of several addresses that all fail, the message is empty.
      reason =
        error.message === ''
          ? fault('BROKER_UNREACHABLE', String((error as NodeJS.ErrnoException).code))
          : error
    })
    client.once('connect', () => {
      reason = undefined
      client.end()
    })
    client.once('close', () => {
      client.end(true)
      resolve(reason)
    })
  })
}

async function clock({ httpUrl }: HubCheckOptions): Promise<Finding> {
  const base = { group: 'Hub', name: 'clock' } as const
  if (httpUrl === undefined)
    return {
      ...base,
      mark: 'info',
      text: 'unknown: MQTT tells no time; --hub http://HUB:8080 compares the clocks',
    }
  try {
    const sentMs = Date.now()
    const { headers } = await fetch(new URL('/healthz', httpUrl), {
      signal: AbortSignal.timeout(HTTP_TIMEOUT_MS),
    })
    const header = Date.parse(headers.get('date') ?? '')
    if (Number.isNaN(header)) return { ...base, mark: 'warn', text: `${redactUrl(httpUrl)} sends no Date` }
    // The header is cut to the second: on average half of one has passed.
    const skewMs = Math.round((sentMs + Date.now()) / 2 - (header + 500))
    const off = Math.abs(skewMs) > MAX_SKEW_MS
    const seconds = `${(Math.abs(skewMs) / 1000).toFixed(1)} s ${skewMs > 0 ? 'ahead of' : 'behind'} the hub`
    return {
      ...base,
      mark: off ? 'warn' : 'ok',
      text: off ? seconds : `within ${MAX_SKEW_MS / 1000} s of the hub's`,
      ...(off
        ? { advice: 'Set the time by NTP on both: captures would be filed under the wrong time.' }
        : {}),
      data: { skewMs },
    }
  } catch (error) {
    const reason = (error as { cause?: { code?: string } }).cause?.code ?? messageOf(error)
    const text = `${redactUrl(httpUrl)} cannot be asked: ${redactUrl(reason)}`
    return { ...base, mark: 'fail', text, advice: 'Check the address given with --hub.' }
  }
}
