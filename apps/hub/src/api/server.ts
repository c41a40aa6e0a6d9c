import { existsSync } from 'node:fs'
import { Server as SecureServer } from 'node:https'
import { fileURLToPath } from 'node:url'
import fastifyMultipart from '@fastify/multipart'
import fastifyStatic from '@fastify/static'
import fastifySwagger from '@fastify/swagger'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import { type ClipModel, type Clock, fault, type Log, type Service } from '@sightline/core'
import type { ModelStoreFiles } from '@sightline/models/store/model-store.js'
import Fastify, { type FastifyInstance } from 'fastify'
import type { People } from '../auth/people.ts'
import type { DriftReport } from '../drift/drift-report.ts'
import type { PictureFetcher } from '../fetch/picture-fetcher.ts'
import type { Commands } from '../fleet/commands.ts'
import type { FleetHealth } from '../fleet/fleet-health.ts'
import type { Shadow } from '../fleet/shadow.ts'
import type { StatsHistory } from '../fleet/stats-history.ts'
import type { IndexKeeper } from '../index/index-keeper.ts'
import type { Importer } from '../ingest/importer.ts'
import type { Ingest } from '../ingest/ingest.ts'
import type { Metrics } from '../metrics.ts'
import type { Backtest } from '../moderation/backtest.ts'
import type { Moderator } from '../moderation/moderator.ts'
import type { ReviewDesk } from '../moderation/review-desk.ts'
import type { Forgetter } from '../privacy/forgetter.ts'
import type { RuleParts } from '../rules/create-rules.ts'
import type { RuleDesk } from '../rules/rule-desk.ts'
import type { SavedSearches } from '../search/saved-searches.ts'
import type { Search } from '../search/search.ts'
import type { Tags } from '../search/tags.ts'
import type { HubSettings } from '../settings.ts'
import type { AuditLog } from '../store/audit-log.ts'
import type { RecordStore } from '../store/record-store.ts'
import type { TlsKeeper } from '../tls/tls-keeper.ts'
import { installErrorHandling } from './errors.ts'
import { installGuard } from './guard.ts'
import { LiveFeed } from './live-feed.ts'
import { feedLive } from './live-source.ts'
import { ErrorShape, openapiOptions } from './openapi.ts'
import { installRateLimit } from './rate-limit.ts'
import { installBodyTypes, REQUEST_CHECKS } from './request-checks.ts'
import { type ListedRoute, listRoutes } from './roles.ts'
import { auditRoutes } from './routes/audit.ts'
import { backtestRoutes } from './routes/backtest.ts'
import { deviceCommandRoutes } from './routes/device-commands.ts'
import { deviceConfigRoutes } from './routes/device-config.ts'
import { deviceStatsRoutes } from './routes/device-stats.ts'
import { type DeviceRouteParts, deviceRoutes } from './routes/devices.ts'
import { driftRoutes } from './routes/drift.ts'
import { encodeRoutes } from './routes/encode.ts'
import { eraseRoutes } from './routes/erase.ts'
import { fleetRoutes } from './routes/fleet.ts'
import { frameRoutes } from './routes/frames.ts'
import { indexFrameRoutes } from './routes/index-frames.ts'
import { keyRoutes } from './routes/keys.ts'
import { modelRoutes } from './routes/models.ts'
import { moderationRoutes } from './routes/moderations.ts'
import { quarantineRoutes } from './routes/quarantine.ts'
import { questionRoutes } from './routes/questions.ts'
import { reviewRoutes } from './routes/review.ts'
import { exampleRoutes } from './routes/rule-examples.ts'
import { ruleFleetRoutes } from './routes/rule-fleet.ts'
import { rulePackRoutes } from './routes/rule-packs.ts'
import { ruleVersionRoutes } from './routes/rule-versions.ts'
import { ruleRoutes } from './routes/rules.ts'
import { sessionRoutes } from './routes/session.ts'
import { type StorageParts, storageRoutes } from './routes/storage.ts'
import { systemRoutes } from './routes/system.ts'
import { tagRoutes } from './routes/tags.ts'
import { userRoutes } from './routes/users.ts'
import { installSecurity } from './security.ts'
import { SessionCookie } from './session-cookie.ts'

const DASHBOARD_DIR = fileURLToPath(new URL('../../dashboard/dist/', import.meta.url))

const HANDSHAKE_TIMEOUT_MS = 10_000

/** What the API speaks for. */
export interface ApiParts {
  readonly store: RecordStore
  readonly model: ClipModel
  readonly index: IndexKeeper
  readonly ingest: Ingest
  readonly rules: RuleDesk
  readonly search: Search
  readonly tags: Tags
  readonly models: ModelStoreFiles
  readonly moderator: Moderator
  readonly backtest: Backtest
  readonly reviews: ReviewDesk
  readonly shadow: Shadow
  readonly commands: Commands
  readonly health: FleetHealth
  readonly history: StatsHistory
  readonly ruleParts: Omit<RuleParts, 'rules' | 'learner'>
  readonly audit: AuditLog
  readonly devices: DeviceRouteParts
  readonly forgetter: Forgetter
  readonly people: People
  readonly saved: SavedSearches
  readonly importer: Importer
  readonly pictures: PictureFetcher
  readonly drift: DriftReport
  readonly storage: StorageParts
  readonly clock: Pick<Clock, 'now'>
}

export interface HttpApiOptions {
  readonly settings: HubSettings['http']
  readonly parts: ApiParts
  readonly metrics: Metrics
  readonly log: Log
  readonly version: string
  readonly tls: TlsKeeper
}

/** The HTTP side of a hub: API, live feed, dashboard, health and metrics. */
export class HttpApi implements Service {
  readonly name = 'http'
  readonly #options: HttpApiOptions
  readonly #live: LiveFeed
  #app: FastifyInstance | undefined
  #routes: readonly ListedRoute[] = []
  #detach: () => void = () => {}

  constructor(options: HttpApiOptions) {
    this.#options = options
    this.#live = new LiveFeed({ maxClients: options.settings.maxLiveClients })
  }

  get port(): number {
    const address = this.#app?.server.address()
    return typeof address === 'object' && address !== null ? address.port : 0
  }

  /** What is served, and for whom; once started. */
  get routes(): readonly ListedRoute[] {
    return this.#routes
  }

  async start(): Promise<void> {
    const { settings, log, tls } = this.#options
    const app = await this.#build()
    this.#app = app
    const offLive = feedLive(this.#live, this.#options.parts)
    const offTls = isSecure(app.server) ? tls.attach(app.server) : () => {}
    this.#detach = () => {
      offLive()
      offTls()
    }
    try {
      await this.#app.listen({ host: settings.host, port: settings.port })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'EADDRINUSE') {
        throw fault('PORT_IN_USE', `HTTP port ${settings.port} on ${settings.host} is taken`, { cause })
      }
      throw cause
    }
    log.info({ host: settings.host, port: this.port }, 'http listening')
  }

  async stop(): Promise<void> {
    this.#detach()
    this.#live.close()
    await this.#app?.close()
  }

  /** The application without a socket, for `inject`. */
  async #build(): Promise<FastifyInstance> {
    const { settings, log, parts, metrics, version, tls } = this.#options
    const { store, model, index, ingest, rules, search, models } = parts
    const { moderator, backtest, reviews, ruleParts, forgetter, people } = parts
    const { shadow, commands, health } = parts
    const context = tls.contextFor(settings.host)
    const cookie = new SessionCookie({ secure: tls.terminated || context !== undefined })
    const secure = context === undefined ? null : { ...context, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }
    const app = Fastify({
      // Null is plain HTTP. Typed as such, for nothing but `start` looks at the server.
      https: secure as null,
      bodyLimit: settings.maxBodyBytes,
      requestTimeout: settings.requestTimeoutMs,
      forceCloseConnections: true,
      ajv: REQUEST_CHECKS,
    }).withTypeProvider<TypeBoxTypeProvider>()
    this.#routes = listRoutes(app)
    installErrorHandling(app, log)
    installBodyTypes(app)
    installSecurity(app, settings.host, { proxied: tls.terminated })
    await installGuard(app, { people, logins: parts.devices.logins, cookie })
    app.addHook('onResponse', async (request, reply) => {
      const route = request.routeOptions.url ?? 'none'
      metrics.requestSeconds.observe(
        { route, method: request.method, status: reply.statusCode },
        reply.elapsedTime / 1000,
      )
    })
    await installRateLimit(app)
    await app.register(fastifyMultipart, {
      attachFieldsToBody: 'keyValues',
      limits: { files: 1, fields: 16, fieldSize: 4096, fileSize: settings.maxBodyBytes, parts: 17 },
    })
    app.addSchema(ErrorShape)
    await app.register(fastifySwagger, openapiOptions(version))
    await app.register(
      async api => {
        await api.register(questionRoutes, {
          ...{ search, saved: parts.saved, store, pictures: parts.pictures, clock: parts.clock },
          seconds: metrics.searchSeconds,
        })
        await api.register(driftRoutes, { drift: parts.drift })
        await api.register(indexFrameRoutes, { importer: parts.importer, clock: parts.clock })
        await api.register(frameRoutes, { store })
        await api.register(tagRoutes, { tags: parts.tags })
        await api.register(eraseRoutes, { forgetter, desk: parts.devices.desk, live: this.#live })
        await api.register(fleetRoutes, { store, health, live: this.#live })
        await api.register(deviceStatsRoutes, { history: parts.history, clock: parts.clock })
        await api.register(deviceConfigRoutes, { shadow, audit: parts.audit })
        await api.register(deviceCommandRoutes, { commands, store, audit: parts.audit })
        await api.register(ruleRoutes, { rules, store, maxBodyBytes: settings.maxBodyBytes })
        await api.register(exampleRoutes, { rules, examples: ruleParts.examples, model })
        await api.register(ruleVersionRoutes, { rules, history: ruleParts.history })
        await api.register(ruleFleetRoutes, { rules, ...ruleParts })
        await api.register(rulePackRoutes, { rules, cannot: model.manifest.cannot })
        await api.register(moderationRoutes, { moderator, modelName: model.manifest.name })
        await api.register(backtestRoutes, { backtest, rules, store })
        await api.register(reviewRoutes, { reviews, store, live: this.#live, audit: parts.audit })
        await api.register(encodeRoutes, { model })
        await api.register(deviceRoutes, parts.devices)
        await api.register(sessionRoutes, { people, cookie })
        await api.register(userRoutes, { people })
        await api.register(keyRoutes, { people })
        await api.register(auditRoutes, { audit: parts.audit })
        await api.register(quarantineRoutes, { store })
        await api.register(storageRoutes, parts.storage)
        await api.register(systemRoutes, {
          store,
          model,
          index,
          version,
          searchByUrl: parts.pictures.enabled,
          ingested: () => ({ ...ingest.stats }),
        })
        const openapi = { config: { role: 'viewer', limited: true }, schema: { hide: true } } as const
        api.get('/openapi.json', openapi, async () => app.swagger())
      },
      { prefix: '/api/v1' },
    )
    // Alive either way: a restart makes no room on a disk.
    app.get('/healthz', { config: { role: 'public' }, schema: { hide: true } }, async () =>
      ingest.trouble === undefined ? { status: 'ok' } : { status: 'degraded', reasons: [ingest.trouble] },
    )
    app.get('/readyz', { config: { role: 'public' }, schema: { hide: true } }, async () => {
      if (!index.ready) throw fault('NOT_READY', 'the index is still loading')
      return { status: 'ready' }
    })
    app.get('/metrics', { config: { role: 'viewer' }, schema: { hide: true } }, async (_request, reply) =>
      reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
    )
    await app.register(modelRoutes, { models, prefix: '/models' })
    await this.#serveDashboard(app)
    await app.ready()
    return app
  }

  async #serveDashboard(app: FastifyInstance): Promise<void> {
    if (existsSync(DASHBOARD_DIR)) {
      await app.register(async pages => {
        // Pages and scripts are everybody's: who may see what, the API decides.
        pages.addHook('onRoute', route => {
          route.config = { ...route.config, role: 'public' }
        })
        await pages.register(fastifyStatic, { root: DASHBOARD_DIR })
      })
    } else {
      app.get('/', { config: { role: 'public' }, schema: { hide: true } }, async (_request, reply) =>
        reply
          .type('text/plain')
          .send('The dashboard is not built: run npm run build.\nThe API is at /api/v1.\n'),
      )
    }
  }
}

function isSecure(server: unknown): server is SecureServer {
  return server instanceof SecureServer
}
