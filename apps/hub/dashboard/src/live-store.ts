import type { ApiClient } from './api.ts'
import { type ApiError, asApiError } from './api-error.ts'
import type { FleetNode, Frame, Incident } from './api-types.ts'
import { type EventStream, LiveConnection, type LiveEventName, type LiveState } from './live-connection.ts'
import { cameraKey } from './search-query.ts'
import { type SavedSearchEvent, type TickerHit, withHit } from './ticker.ts'

/** What the page knows of the present. Replaced, never changed, so that views can compare by reference. */
export interface LiveView {
  readonly state: LiveState
  /** False until the first snapshot came. */
  readonly loaded: boolean
  readonly error: ApiError | undefined
  /** Newest frame of each camera, by `site/node/camera`. */
  readonly frames: ReadonlyMap<string, Frame>
  /** Newest first by start. */
  readonly incidents: readonly Incident[]
  readonly nodes: ReadonlyMap<string, FleetNode>
  /** What saved searches found while the page was open, newest first. */
  readonly hits: readonly TickerHit[]
  /** The newest incident that began while the page was open. */
  readonly announced: Incident | undefined
}

export interface LiveStoreOptions {
  readonly api: ApiClient
  readonly open: () => EventStream
  readonly schedule: (callback: () => void, delayMs: number) => () => void
}

const MAX_INCIDENTS = 100
const MAX_CAMERAS = 500
/** Many cameras send several frames a second; the page is redrawn four times. */
const REDRAW_MS = 250
const SNAPSHOT_RETRY_MS = 5000

const NOTHING: LiveView = {
  state: 'connecting',
  loaded: false,
  error: undefined,
  frames: new Map(),
  incidents: [],
  nodes: new Map(),
  hits: [],
  announced: undefined,
}

/** What came over the line since a snapshot was asked for, which may be older. */
interface Since {
  readonly frames: Map<string, Frame>
  incidents: readonly Incident[]
  readonly nodes: Map<string, FleetNode>
}

export class LiveStore {
  readonly #options: LiveStoreOptions
  readonly #connection: LiveConnection
  readonly #listeners = new Set<() => void>()
  readonly #incidentListeners = new Set<(incident: Incident) => void>()
  #view: LiveView = NOTHING
  #started = false
  #pending: Partial<LiveView> = {}
  /** The frames that wait to be shown: nobody has seen this map yet, so it may change. */
  #arriving: Map<string, Frame> | undefined
  #redrawing = false
  /** While a snapshot is under way. */
  #since: Since | undefined
  #cancelSnapshot: () => void = () => {}

  constructor(options: LiveStoreOptions) {
    this.#options = options
    this.#connection = new LiveConnection({
      open: options.open,
      schedule: options.schedule,
      onEvent: (name, data) => this.#take(name, data),
      onState: state => {
        this.#change({ state })
        // Whatever happened while the line was down is in the snapshot; while it stays down, retries poll.
        if (state !== 'connecting') void this.#snapshot()
      },
    })
  }

  get view(): LiveView {
    return this.#view
  }

  start(): void {
    this.#started = true
    this.#connection.start()
  }

  /** Forgets what was shown: who comes next may be somebody else, who may see less. */
  stop(): void {
    this.#started = false
    this.suspend()
    this.#view = NOTHING
    this.#pending = {}
    this.#arriving = undefined
  }

  /** Leaves the line until `retryNow`; what is shown stays. */
  suspend(): void {
    this.#cancelSnapshot()
    this.#since = undefined
    this.#connection.stop()
  }

  retryNow(): void {
    if (this.#started) this.#connection.retryNow()
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Every incident that is told of, those too that `view` has no room for. */
  onIncident(listener: (incident: Incident) => void): () => void {
    this.#incidentListeners.add(listener)
    return () => this.#incidentListeners.delete(listener)
  }

  async #snapshot(): Promise<void> {
    const { api, schedule } = this.#options
    this.#cancelSnapshot()
    const since: Since = { frames: new Map(), incidents: [], nodes: new Map() }
    this.#since = since
    try {
      const [frames, newest, ongoing, nodes] = await Promise.all([
        api.frames({ limit: MAX_CAMERAS, each: 'camera' }),
        api.incidents({ limit: MAX_INCIDENTS }),
        api.incidents({ limit: MAX_INCIDENTS, open: true }),
        api.nodes(),
      ])
      if (this.#since !== since) return
      // In place of what was known, so that what was deleted leaves the page.
      this.#arriving = withFrames(withFrames(new Map(), frames), [...since.frames.values()])
      this.#change({
        loaded: true,
        error: undefined,
        frames: this.#arriving,
        incidents: withIncidents([...newest, ...ongoing], since.incidents),
        nodes: new Map([...nodes.map(node => [nodeKey(node), node] as const), ...since.nodes]),
      })
    } catch (error) {
      if (this.#since !== since) return
      this.#change({ error: asApiError(error) })
      this.#cancelSnapshot = schedule(() => void this.#snapshot(), SNAPSHOT_RETRY_MS)
    } finally {
      if (this.#since === since) this.#since = undefined
    }
  }

  #take(name: LiveEventName, data: unknown): void {
    if (name === 'frame') {
      this.#arriving ??= new Map(this.#latest.frames)
      addFrame(this.#arriving, data as Frame)
      if (this.#since !== undefined) addFrame(this.#since.frames, data as Frame)
      this.#change({ frames: this.#arriving })
    } else if (name === 'node') {
      const node = data as FleetNode
      this.#since?.nodes.set(nodeKey(node), node)
      this.#change({ nodes: new Map(this.#latest.nodes).set(nodeKey(node), node) })
    } else if (name === 'saved-search') {
      this.#change({ hits: withHit(this.#latest.hits, data as SavedSearchEvent) })
    } else if (name === 'resync') {
      // Of hits it is not known which are gone.
      this.#change({ hits: [], announced: undefined })
      void this.#snapshot()
    } else this.#takeIncident(data as Incident)
  }

  #takeIncident(incident: Incident): void {
    const { incidents, loaded } = this.#latest
    if (this.#since !== undefined) this.#since.incidents = withIncidents(this.#since.incidents, [incident])
    for (const listener of this.#incidentListeners) listener(incident)
    const begun = loaded && incident.endedAt === null && !incidents.some(({ id }) => id === incident.id)
    this.#change({
      incidents: withIncidents(incidents, [incident]),
      ...(begun ? { announced: incident } : {}),
    })
  }

  get #latest(): LiveView {
    return { ...this.#view, ...this.#pending }
  }

  #change(change: Partial<LiveView>): void {
    this.#pending = { ...this.#pending, ...change }
    if (this.#redrawing) return
    this.#redrawing = true
    this.#options.schedule(() => {
      this.#redrawing = false
      this.#view = this.#latest
      this.#pending = {}
      this.#arriving = undefined
      for (const listener of this.#listeners) listener()
    }, REDRAW_MS)
  }
}

export function nodeKey({ site, node }: { readonly site: string; readonly node: string }): string {
  return `${site}/${node}`
}

/** The newest frame of each camera by device time: frames replayed after an outage do not cover the present. */
export function withFrames(known: ReadonlyMap<string, Frame>, arrived: readonly Frame[]): Map<string, Frame> {
  const frames = new Map(known)
  for (const frame of arrived) addFrame(frames, frame)
  return frames
}

function addFrame(frames: Map<string, Frame>, frame: Frame): void {
  const key = cameraKey(frame)
  const shown = frames.get(key)
  if (shown === undefined ? frames.size < MAX_CAMERAS : shown.capturedAt <= frame.capturedAt) {
    frames.set(key, frame)
  }
}

/** Each incident once, in its newest state, newest start first: the newest ones, and older ones that still go on. */
export function withIncidents(known: readonly Incident[], arrived: readonly Incident[]): Incident[] {
  const byId = new Map(known.map(incident => [incident.id, incident]))
  for (const incident of arrived) {
    const shown = byId.get(incident.id)
    if (shown === undefined || shown.updatedAt <= incident.updatedAt) byId.set(incident.id, incident)
  }
  const all = [...byId.values()].sort((a, b) =>
    a.startedAt < b.startedAt ? 1 : a.startedAt > b.startedAt ? -1 : 0,
  )
  let ongoing = 0
  return all.filter(
    ({ endedAt }, place) => (endedAt === null && ++ongoing <= MAX_INCIDENTS) || place < MAX_INCIDENTS,
  )
}
