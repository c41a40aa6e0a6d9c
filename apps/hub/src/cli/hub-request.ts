import { ERRORS, type ErrorCode, fault, messageOf } from '@sightline/core'

/** Environment variable with the API key for a hub that asks for one. */
const API_KEY_VARIABLE = 'SIGHTLINE_API_KEY'

/** As `fetch` of a path of the hub's API, with the API key of the environment. @throws HUB_UNREACHABLE */
export async function fetchFromHub(hub: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  const key = process.env[API_KEY_VARIABLE]
  if (key !== undefined) headers.set('authorization', `Bearer ${key}`)
  try {
    return await fetch(new URL(`/api/v1/${path}`, hub), { ...init, headers })
  } catch (cause) {
    throw fault('HUB_UNREACHABLE', `${hub} does not answer: ${messageOf(cause)}`, { cause })
  }
}

/** @throws HUB_UNREACHABLE, or what the hub answers: its own code and words, API_BAD_REQUEST where it says none */
export async function askHub<T>(hub: string, path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetchFromHub(hub, path, init)
  const body = (await response.json().catch(() => ({}))) as T & { error?: { code: string; message: string } }
  if (response.ok) return body
  const { error } = body
  if (error === undefined) throw fault('API_BAD_REQUEST', `the hub answers ${response.status}`)
  // A newer hub may have codes that are not known here.
  if (!Object.hasOwn(ERRORS, error.code)) throw fault('API_BAD_REQUEST', `${error.code}: ${error.message}`)
  throw fault(error.code as ErrorCode, error.message)
}
