import { type Address, isName } from '@sightline/core'

/** MQTT client id and user name of a device. Names hold no tilde, so two devices never share an id. */
export function deviceId({ site, node }: Address): string {
  return `${site}~${node}`
}

/** Undefined when it is no device's id. */
export function parseDeviceId(text: string): Address | undefined {
  const [site = '', node = '', ...rest] = text.split('~')
  return rest.length === 0 && isName(site) && isName(node) ? { site, node } : undefined
}
