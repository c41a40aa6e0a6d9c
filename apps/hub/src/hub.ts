import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Clock, Lifecycle, type Log, loadModel } from '@sightline/core'
import { modelStoreFiles } from '@sightline/models/store/model-store.js'
import type { ListedRoute } from './api/roles.ts'
import { HttpApi } from './api/server.ts'
import { Broker } from './broker/broker.ts'
import { Gatekeeper } from './broker/gatekeeper.ts'
import { DeviceLogins } from './fleet/device-logins.ts'
import { EnrolmentDesk } from './fleet/enrolment-desk.ts'
import { hubUrls, hubUrlsElsewhere } from './fleet/hub-urls.ts'
import { LiveDevices } from './fleet/live-devices.ts'
import { LmdbDeviceRegistry } from './fleet/lmdb-device-registry.ts'
import { RollCall } from './fleet/roll-call.ts'
import { IndexKeeper } from './index/index-keeper.ts'
import { Ingest } from './ingest/ingest.ts'
import { hubProbes, Metrics } from './metrics.ts'
import { Backtest } from './moderation/backtest.ts'
import { Moderator } from './moderation/moderator.ts'
import { ReviewDesk } from './moderation/review-desk.ts'
import { RuleDesk } from './rules/rule-desk.ts'
import { openSigningKey } from './rules/signing-key.ts'
import { Search } from './search/search.ts'
import { checkHubSettings, type HubSettings } from './settings.ts'
import { AuditLog } from './store/audit-log.ts'
import { openLmdbStore } from './store/lmdb-store.ts'
import { TlsKeeper } from './tls/tls-keeper.ts'

/** The model that ships with the repository. */
const EMBEDDED_MODEL = fileURLToPath(new URL('../../../models/quantized/sightline-mini/', import.meta.url))

export interface Hub {
  readonly httpPort: number
  readonly mqttPort: number
  /** What HTTP serves, and for whom; once started. */
  readonly routes: readonly ListedRoute[]
  start(): Promise<void>
  stop(): Promise<void>
  /** Reads the certificate again; what does not serve is logged and left out. */
  reload(): Promise<void>
}

export interface HubOptions {
  readonly settings: HubSettings
  readonly log: Log
  readonly clock: Clock
  readonly version: string
}

/** Composition root: the only place where the parts of a hub are made and joined. */
export async function createHub({ settings, log, clock, version }: HubOptions): Promise<Hub> {
  checkHubSettings(settings)
  const dir = resolve(settings.dataDir)
  await mkdir(dir, { recursive: true })
  const { threads } = settings.model
  const model = await loadModel({
    dir: settings.model.dir ?? EMBEDDED_MODEL,
    ...(threads > 0 ? { threads } : {}),
  })
  const store = await openLmdbStore({
    dir: join(dir, 'store'),
    minFreeBytes: settings.store.minFreeBytes,
    clock,
    log,
  })
  const metrics = new Metrics()
  const rollCall = new RollCall({ store, log })

  const ingest: Ingest = new Ingest({ store, publish: message => broker.publish(message), clock, log })
  const tls = new TlsKeeper({ settings, dataDir: dir, clock, log })
  const audit = new AuditLog({ environment: store.environment, clock, log })
  const registry = new LmdbDeviceRegistry(store.environment)
  const logins = new DeviceLogins({ registry, clock, log })
  const gate = new Gatekeeper({ settings, fleet: { registry, logins }, clock, log })
  const broker: Broker = new Broker({ settings: settings.mqtt, ingest, log, gate, tls })
  const liveDevices = new LiveDevices({
    registry,
    broker: { expel: () => broker.expel(), publish: message => broker.publish(message) },
    clock,
    log,
  })
  const { publicKeyPem } = await openSigningKey(join(dir, 'keys'))
  const desk = new EnrolmentDesk({
    registry,
    audit,
    identity: { ca: () => tls.ca(), caSha256: () => tls.caSha256(), rulesKeys: [publicKeyPem] },
    clock,
    onChange: () => liveDevices.check(),
  })
  const index = new IndexKeeper({
    settings: { dir: join(dir, 'index'), ...settings.index },
    store,
    ingest,
    model,
    log,
  })
  const rules = new RuleDesk({
    store,
    model,
    publish: message => broker.publish(message),
    log,
    sites: settings.sites,
  })
  // A device of a site that nobody configured gets the rules as soon as it reports.
  ingest.on('node', ({ site }) => void rules.addSite(site))
  const search = new Search({ store, index, model, log })
  const moderator = new Moderator({ rules, model, store })
  const reviews = new ReviewDesk({ store, rules, clock, log })
  const backtest = new Backtest({ store, labelsOf: rule => reviews.labelsOf(rule), log })
  const models = modelStoreFiles(settings.models.storeDir ?? join(dir, 'models'))
  const listening = () => ({ settings, httpPort: http.port, mqttPort: broker.port })
  const http: HttpApi = new HttpApi({
    settings: settings.http,
    parts: {
      store,
      model,
      index,
      ingest,
      rules,
      search,
      models,
      moderator,
      backtest,
      reviews,
      audit,
      devices: {
        desk,
        logins,
        urls: host => hubUrls(listening(), host),
        urlsElsewhere: host => hubUrlsElsewhere(listening(), host),
      },
    },
    metrics,
    log,
    version,
    tls,
  })
  metrics.observe(hubProbes({ index, broker, ingest, gate, tls }))
  // The model and the store are open already: they are stopped last, after everything that uses them.
  const opened = (name: string, close: () => Promise<void>) => ({ name, start: async () => {}, stop: close })
  const services = [
    opened('model', () => model.close()),
    opened('store', () => store.close()),
    tls,
    index,
    rollCall,
    broker,
    liveDevices,
    rules,
    backtest,
    http,
  ]
  const lifecycle = new Lifecycle({ services, log })
  return {
    get httpPort() {
      return http.port
    },
    get mqttPort() {
      return broker.port
    },
    get routes() {
      return http.routes
    },
    start: () => lifecycle.start(),
    stop: () => lifecycle.stop(),
    reload: async () => {
      await tls.reload()
    },
  }
}
