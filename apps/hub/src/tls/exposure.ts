import { isLoopback } from '../loopback.ts'
import type { HubSettings } from '../settings.ts'

/** Whether the listener on `host` speaks TLS. */
export function speaksTls(tls: HubSettings['tls'], host: string): boolean {
  if (tls.terminated) return false
  return tls.mode === 'always' || !isLoopback(host)
}
