import { fault } from '@sightline/core'

/**
 * Ill-formed UTF-8, encoded surrogates among it, reaches the broker as U+FFFD, which nobody has a use for in a name; and
 * U+0000 no text may hold. Both are to close the connection (MQTT-1.5.3-1, MQTT-1.5.3-2).
 * @throws PAYLOAD_INVALID
 */
export function requireWellFormed(...texts: readonly (string | undefined)[]): void {
  for (const text of texts)
    if (text !== undefined && (text.includes('\uFFFD') || text.includes('\0')))
      throw fault('PAYLOAD_INVALID', 'ill-formed UTF-8, or U+0000, in a name')
}
