import { fault } from '@sightline/core'

export interface FrameView {
  readonly id: string
  readonly site: string
  readonly node: string
  readonly camera: string
  readonly capturedAt: string
  readonly historical: boolean
  readonly verdicts: readonly { rule: string; score: number; similarity: number; fired: boolean }[]
  readonly thumbnailUrl: string | null
}

export interface IncidentView {
  readonly id: string
  readonly rule: string
  readonly camera: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly frames: number
  readonly peakScore: number
  readonly bestFrameId: string
}

/** Typed calls to a running hub. */
export class HubApi {
  readonly origin: string
  readonly #url: string

  constructor(url: string) {
    this.origin = url
    this.#url = `${url}/api/v1`
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(this.#url + path)
    if (!response.ok) throw fault('INTERNAL', `GET ${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  async post<T>(path: string, body: object): Promise<T> {
    const response = await fetch(this.#url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw fault('INTERNAL', `POST ${path}: ${response.status} ${await response.text()}`)
    return (await response.json()) as T
  }

  async search(text: string, limit = 5): Promise<(FrameView & { similarity: number; score: number })[]> {
    const answer = await this.get<{ hits: (FrameView & { similarity: number; score: number })[] }>(
      `/search?limit=${limit}&text=${encodeURIComponent(text)}`,
    )
    return answer.hits
  }

  async frames(limit = 500): Promise<FrameView[]> {
    return (await this.get<{ frames: FrameView[] }>(`/frames?limit=${limit}`)).frames
  }

  async incidents(): Promise<IncidentView[]> {
    return (await this.get<{ events: IncidentView[] }>('/events?limit=500')).events
  }
}

/** Polls until `probe` gives something other than undefined; the deadline is generous because it only guards a hang. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T | undefined>,
  limitMs = 60_000,
): Promise<T> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const value = await probe()
    if (value !== undefined) return value
    if (performance.now() > deadline) throw fault('INTERNAL', `waited ${limitMs} ms in vain for: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
