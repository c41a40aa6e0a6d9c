import { ApiError, failureOf, offlineFailure } from './api-error.ts'
import type {
  AuditEntry,
  DriftAnswer,
  ExplainedHit,
  FleetNode,
  Frame,
  FrameFilter,
  Incident,
  Neighbours,
  QuarantineEntry,
  Question,
  ReviewQueue,
  ReviewVerdict,
  Rule,
  RulesDocument,
  SavedHit,
  SavedQuestion,
  SavedSearch,
  SearchAnswer,
  SearchRequest,
  SessionState,
  SystemInfo,
  ThresholdSuggestion,
} from './api-types.ts'
import { MetricsText } from './metrics-text.ts'

const BASE = '/api/v1'
/** The next verdict waits for the answer to the last: on a network that swallows both, nobody should for long. */
const REVIEW_MS = 15_000

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>

export class ApiClient {
  readonly #fetch: Fetch
  /** Hears that the hub wants to know who asks: there is no session, or no more. */
  onSignInRequired: () => void = () => {}

  constructor({ fetch }: { fetch: Fetch }) {
    this.#fetch = fetch
  }

  async session(signal?: AbortSignal): Promise<SessionState> {
    return this.#get('/session', {}, signal)
  }

  async signIn(name: string, password: string): Promise<SessionState> {
    return this.#send('POST', '/session', { name, password })
  }

  /** Makes the first admin, by the token of the link that the hub printed. */
  async setUp(token: string, name: string, password: string): Promise<SessionState> {
    return this.#send('POST', '/setup', { token, name, password })
  }

  async signOut({ everywhere = false } = {}): Promise<void> {
    await this.#request(`/session?everywhere=${everywhere}`, { method: 'DELETE' })
  }

  async search(
    { subject, negatives = [], filter, limit, diversity, facets, cursor }: SearchRequest,
    signal?: AbortSignal,
  ): Promise<SearchAnswer> {
    const simple = {
      limit: String(limit),
      ...(diversity === undefined ? {} : { diversity: String(diversity) }),
      ...(facets === undefined ? {} : { facets: String(facets) }),
      ...(cursor === undefined ? {} : { cursor }),
      ...simpleFilter(filter),
    }
    if ('text' in subject && negatives.length === 0) {
      return this.#get('/search', { text: subject.text, ...simple }, signal)
    }
    if (!('image' in subject) || negatives.length > 0) {
      const variety = diversity === undefined ? {} : { diversity: { lambda: diversity } }
      const without = negatives.length === 0 ? {} : { negatives: negatives.map(text => ({ text })) }
      const asked = 'image' in subject ? { image: await base64Of(subject.image) } : subject
      const body = { ...asked, ...without, limit, cursor, facets, ...variety, filter }
      return this.#send('POST', '/search', body, signal)
    }
    const form = new FormData()
    for (const [name, value] of Object.entries(simple)) form.set(name, value)
    form.set('image', subject.image, 'query.jpg')
    return this.#request('/search', { method: 'POST', body: form, ...abortable(signal) })
  }

  /** Why a frame answers a question: what each part of it contributes. */
  async explain(frame: string, question: Question, signal?: AbortSignal): Promise<ExplainedHit> {
    return this.#send('POST', '/explain', { frame, ...question }, signal)
  }

  /** `each`: the newest of every camera. */
  async frames(
    query: FrameFilter & { limit: number; each?: 'camera' },
    signal?: AbortSignal,
  ): Promise<readonly Frame[]> {
    const { limit, ...filter } = query
    const answer = await this.#get<{ frames: readonly Frame[] }>(
      '/frames',
      { limit: String(limit), ...filter },
      signal,
    )
    return answer.frames
  }

  async frame(id: string, signal?: AbortSignal): Promise<Frame> {
    return this.#get(`/frames/${encodeURIComponent(id)}`, {}, signal)
  }

  /** `limit`: to each side. */
  async neighbours(id: string, limit: number, signal?: AbortSignal): Promise<Neighbours> {
    return this.#get(`/frames/${encodeURIComponent(id)}/neighbours`, { limit: String(limit) }, signal)
  }

  async nodes(signal?: AbortSignal): Promise<readonly FleetNode[]> {
    return (await this.#get<{ nodes: readonly FleetNode[] }>('/nodes', {}, signal)).nodes
  }

  /** Newest first. `open`: those alone that go on. */
  async incidents(
    { limit, open }: { readonly limit: number; readonly open?: boolean },
    signal?: AbortSignal,
  ): Promise<readonly Incident[]> {
    const query = { limit: String(limit), ...(open === undefined ? {} : { open: String(open) }) }
    return (await this.#get<{ events: readonly Incident[] }>('/events', query, signal)).events
  }

  async reviewQueue(limit: number, signal?: AbortSignal): Promise<ReviewQueue> {
    return this.#get('/review', { limit: String(limit) }, signal)
  }

  /** `rule` with relabel only: the one that should have raised it. */
  async review(
    incident: string,
    verdict: { verdict: ReviewVerdict; rule?: string | undefined; note?: string | undefined },
  ): Promise<Incident> {
    return this.#send('POST', reviewPath(incident), verdict, AbortSignal.timeout(REVIEW_MS))
  }

  async undoReview(incident: string): Promise<Incident> {
    return this.#request(reviewPath(incident), { method: 'DELETE', signal: AbortSignal.timeout(REVIEW_MS) })
  }

  async rules(signal?: AbortSignal): Promise<RulesDocument> {
    return this.#get('/rules', {}, signal)
  }

  /** @throws ApiError with status 409 when the rules are no longer at `version`. */
  async putRules(rules: readonly Rule[], version: number): Promise<RulesDocument> {
    return this.#send('PUT', '/rules', { rules, version })
  }

  async system(signal?: AbortSignal): Promise<SystemInfo> {
    return this.#get('/system', {}, signal)
  }

  /** JPEG of a picture elsewhere, by its address. */
  async fetchPicture(url: string): Promise<Blob> {
    const response = await this.#answer(`${BASE}/search/picture`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ url }),
    })
    if (response.ok) return await response.blob()
    throw this.#failure(response.status, await response.json().catch(() => undefined))
  }

  /** For routes that one page alone asks. */
  async read<T>(path: string, signal?: AbortSignal): Promise<T> {
    return this.#get(path, {}, signal)
  }

  async write<T>(method: 'POST' | 'PUT' | 'DELETE', path: string, body: unknown): Promise<T> {
    return this.#send(method, path, body)
  }

  /** A body that is not JSON. */
  async send<T>(
    method: 'POST' | 'PUT',
    path: string,
    { body, type, signal }: { readonly body: string; readonly type: string; readonly signal: AbortSignal },
  ): Promise<T> {
    return this.#request(path, { method, headers: { 'content-type': type }, body, signal })
  }

  async savedSearches(signal?: AbortSignal): Promise<readonly SavedSearch[]> {
    return (await this.#get<{ searches: readonly SavedSearch[] }>('/searches', {}, signal)).searches
  }

  /** Without a threshold the hub chooses one. */
  async saveSearch(search: SavedQuestion & { name: string; threshold?: number }): Promise<SavedSearch> {
    return this.#send('POST', '/searches', await sendable(search))
  }

  async searchThresholds(
    question: SavedQuestion,
    signal?: AbortSignal,
  ): Promise<readonly ThresholdSuggestion[]> {
    const path = '/searches/threshold'
    return (
      await this.#send<{ suggestions: readonly ThresholdSuggestion[] }>(
        'POST',
        path,
        await sendable(question),
        signal,
      )
    ).suggestions
  }

  async savedHits(id: string, limit: number, signal?: AbortSignal): Promise<readonly SavedHit[]> {
    const path = `/searches/${encodeURIComponent(id)}/hits`
    return (await this.#get<{ hits: readonly SavedHit[] }>(path, { limit: String(limit) }, signal)).hits
  }

  async removeSearch(id: string): Promise<void> {
    await this.#request(`/searches/${encodeURIComponent(id)}`, { method: 'DELETE' })
  }

  async audit(limit: number, signal?: AbortSignal): Promise<readonly AuditEntry[]> {
    return (await this.#get<{ entries: readonly AuditEntry[] }>('/audit', { limit: String(limit) }, signal))
      .entries
  }

  async quarantine(limit: number, signal?: AbortSignal): Promise<readonly QuarantineEntry[]> {
    const query = { limit: String(limit) }
    return (await this.#get<{ entries: readonly QuarantineEntry[] }>('/quarantine', query, signal)).entries
  }

  async drift(signal?: AbortSignal): Promise<DriftAnswer> {
    return this.#get('/drift', {}, signal)
  }

  async metrics(signal?: AbortSignal): Promise<MetricsText> {
    const response = await this.#answer('/metrics', abortable(signal))
    if (!response.ok) throw this.#failure(response.status, await response.json().catch(() => undefined))
    return new MetricsText(await response.text())
  }

  #get<T>(path: string, query: object, signal?: AbortSignal): Promise<T> {
    const search = new URLSearchParams(Object.entries(query)).toString()
    return this.#request(`${path}${search === '' ? '' : `?${search}`}`, abortable(signal))
  }

  #send<T>(method: string, path: string, body: unknown, signal?: AbortSignal): Promise<T> {
    return this.#request(path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...abortable(signal),
    })
  }

  async #request<T>(path: string, init: RequestInit): Promise<T> {
    const response = await this.#answer(`${BASE}${path}`, init)
    // Done, and nothing to say about it.
    if (response.status === 204) return undefined as T
    const body: unknown = await response.json().catch(() => undefined)
    if (init.signal?.aborted) throw abandoned(init.signal)
    if (response.ok && body !== undefined) return body as T
    throw this.#failure(response.status, body)
  }

  #failure(status: number, body: unknown): ApiError {
    const failure = failureOf(status, body)
    if (failure.code === 'SIGN_IN_REQUIRED') this.onSignInRequired()
    return new ApiError(failure)
  }

  /** @throws ApiError when there is no answer at all */
  async #answer(address: string, init: RequestInit): Promise<Response> {
    try {
      return await this.#fetch(address, init)
    } catch {
      throw init.signal?.aborted ? abandoned(init.signal) : new ApiError(offlineFailure())
    }
  }
}

/** Given up by the page, or because no answer came in time. */
function abandoned({ reason }: AbortSignal): unknown {
  const late = reason instanceof DOMException && reason.name === 'TimeoutError'
  return late ? new ApiError(offlineFailure()) : reason
}

function reviewPath(incident: string): string {
  return `/review/${encodeURIComponent(incident)}`
}

/** As a form and an address carry it. */
function simpleFilter({ fired, ...names }: FrameFilter): Record<string, string> {
  return fired === undefined ? names : { ...names, fired: String(fired) }
}

async function sendable({ image, ...question }: SavedQuestion): Promise<object> {
  return image === undefined ? question : { ...question, image: await base64Of(image) }
}

async function base64Of(blob: Blob): Promise<string> {
  const bytes = new Uint8Array(await blob.arrayBuffer())
  return btoa(Array.from(bytes, byte => String.fromCharCode(byte)).join(''))
}

function abortable(signal: AbortSignal | undefined): RequestInit {
  return signal === undefined ? {} : { signal }
}
