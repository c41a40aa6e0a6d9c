import type { TestHub } from '../moderation/hub.ts'

export const PASSWORD = 'correct horse battery'

/** Headers of one who asks. */
export type Caller = Readonly<Record<string, string>>

export async function addUser(hub: TestHub, by: Caller, user: object): Promise<void> {
  const { status } = await send(hub, by, 'POST', '/api/v1/users', { password: PASSWORD, ...user })
  if (status !== 201) throw new TypeError(`user not added: ${status}`)
}

/** As a browser does: the cookie that the hub sets, and where requests come from. */
export async function signIn(hub: TestHub, name: string, password = PASSWORD): Promise<Caller> {
  const { headers } = await hub.post('/api/v1/session', { name, password })
  const cookie = headers.getSetCookie().at(-1)?.split(';')[0] ?? ''
  return { cookie, 'sec-fetch-site': 'same-origin' }
}

export async function send(hub: TestHub, caller: Caller, method: string, path: string, body?: unknown) {
  const gone = new AbortController()
  const json = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await fetch(hub.url + path, {
    method,
    headers: { ...caller, ...json },
    signal: gone.signal,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const { status, headers } = response
  if (headers.get('content-type')?.startsWith('text/event-stream')) {
    gone.abort()
    return { status, headers, text: '', code: undefined }
  }
  const text = await response.text()
  const code = /^\{"error":\{"code":"([A-Z_]+)"/.exec(text)?.[1]
  return { status, headers, text, code }
}
