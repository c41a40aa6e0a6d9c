import { createHmac } from 'node:crypto'
import { type Clock, fault, isFault, messageOf } from '@sightline/core'
import type { Action, Delivery } from './action.ts'
import { withinTime } from './time-limit.ts'

const SECRET_PREFIX = 'whsec_'
const MAX_ANSWER_BYTES = 1024
const GONE = 410

export interface WebhookOptions {
  readonly name: string
  readonly url: string
  /** `whsec_` and base64; without one the requests are not signed. */
  readonly secret: string | undefined
  readonly timeoutMs: number
  readonly clock: Clock
}

/** POSTs the notice as JSON, signed as Standard Webhooks 1.0 say. Redirects are not followed. */
export class WebhookAction implements Action {
  readonly name: string
  readonly #options: WebhookOptions

  constructor(options: WebhookOptions) {
    this.name = options.name
    this.#options = options
  }

  async deliver({ id, notice }: Delivery, signal: AbortSignal): Promise<void> {
    const { url, secret, timeoutMs, clock } = this.#options
    const body = JSON.stringify(notice)
    const timestamp = Math.floor(clock.now() / 1000)
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'sightline-agent',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      ...(secret !== undefined && { 'webhook-signature': webhookSignature(secret, id, timestamp, body) }),
    }
    try {
      await withinTime({ clock, timeoutMs, signal }, async within => {
        // A redirect could lead what is signed for one address to another.
        const response = await fetch(url, {
          method: 'POST',
          redirect: 'manual',
          headers,
          body,
          signal: within,
        })
        const answer = await head(response)
        if (response.ok) return
        throw fault('ACTION_FAILED', `answered ${response.status}: ${answer}`, {
          details: { gone: response.status === GONE },
        })
      })
    } catch (error) {
      throw isFault(error) ? error : fault('ACTION_FAILED', reasonOf(error), { cause: error })
    }
  }
}

/** The `v1` scheme: HMAC-SHA256 over id, seconds since the epoch and body, joined by dots. */
export function webhookSignature(secret: string, id: string, timestamp: number, body: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`
}

/** The beginning of an answer, for the log; the rest is not read. */
async function head(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk)
    bytes += chunk.byteLength
    if (bytes >= MAX_ANSWER_BYTES) break
  }
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString('utf8').replaceAll(/\s+/g, ' ')
}

/** fetch hides what went wrong in the cause. The address stays out of it: it may be a secret. */
function reasonOf(error: unknown): string {
  return messageOf(error instanceof TypeError && error.cause !== undefined ? error.cause : error)
}
