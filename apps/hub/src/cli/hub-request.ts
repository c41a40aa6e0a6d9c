import { fault, messageOf } from '@sightline/core'

/** @throws HUB_UNREACHABLE, or API_BAD_REQUEST with what the hub answers, in its own words */
export async function askHub<T>(hub: string, path: string, init: RequestInit = {}): Promise<T> {
  let response: Response
  try {
    response = await fetch(new URL(`/api/v1/${path}`, hub), init)
  } catch (cause) {
    throw fault('HUB_UNREACHABLE', `${hub} does not answer: ${messageOf(cause)}`, { cause })
  }
  const body = (await response.json().catch(() => ({}))) as T & { error?: { code: string; message: string } }
  if (response.ok) return body
  const { error } = body
  throw fault(
    'API_BAD_REQUEST',
    error === undefined ? `the hub answers ${response.status}` : `${error.code}: ${error.message}`,
  )
}
