// biome-ignore lint/suspicious/noExplicitAny: answers of many shapes, each checked by the expectation that reads it
export type Answer = { readonly status: number; readonly body: any; readonly headers: Headers }

/** Calls of the HTTP interface of a hub whose address `url` says. */
export abstract class HubCalls {
  abstract get url(): string

  async call(path: string, init?: RequestInit): Promise<Answer> {
    const response = await fetch(this.url + path, init)
    return { status: response.status, body: await response.json(), headers: response.headers }
  }

  post(path: string, body: unknown, method = 'POST'): Promise<Answer> {
    const headers = { 'content-type': 'application/json' }
    return this.call(path, { method, headers, body: JSON.stringify(body) })
  }
}
