import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Clock, type FailPoint, Lifecycle, type Log } from '@sightline/core'
import { openModel } from '@sightline/core/clip/open-model.js'
import { modelStoreFiles } from '@sightline/models/store/model-store.js'
import type { ListedRoute } from './api/roles.ts'
import { HttpApi } from './api/server.ts'
import { createPeople } from './auth/people.ts'
import type { BrokerLink } from './broker/broker-link.ts'
import { Gatekeeper } from './broker/gatekeeper.ts'
import { openBroker } from './broker/open-broker.ts'
import { DriftReport } from './drift/drift-report.ts'
import { PictureFetcher } from './fetch/picture-fetcher.ts'
import { Commands } from './fleet/commands.ts'
import { DeviceLogins } from './fleet/device-logins.ts'
import { EnrolmentDesk } from './fleet/enrolment-desk.ts'
import { FleetHealth } from './fleet/fleet-health.ts'
import { fleetTables } from './fleet/fleet-tables.ts'
import { greetDevices } from './fleet/greeting.ts'
import { hubUrls, hubUrlsElsewhere } from './fleet/hub-urls.ts'
import { LiveDevices } from './fleet/live-devices.ts'
import { LmdbDeviceRegistry } from './fleet/lmdb-device-registry.ts'
import { observeNodes } from './fleet/node-metrics.ts'
import { RollCall } from './fleet/roll-call.ts'
import { Shadow } from './fleet/shadow.ts'
import { StatsHistory } from './fleet/stats-history.ts'
import { HomeAssistant, homeAssistantTopics } from './home-assistant/home-assistant.ts'
import { IndexKeeper } from './index/index-keeper.ts'
import { postgresOpener } from './index/pgvector/connect.ts'
import { RecallProbe } from './index/recall-probe.ts'
import type { Publish } from './ingest/ack-sender.ts'
import { Importer } from './ingest/importer.ts'
import { Ingest } from './ingest/ingest.ts'
import { hubProbes, Metrics } from './metrics.ts'
import { Backtest } from './moderation/backtest.ts'
import { Moderator } from './moderation/moderator.ts'
import { ReviewDesk } from './moderation/review-desk.ts'
import { createPrivacy } from './privacy/create-privacy.ts'
import { PictureGate } from './privacy/picture-gate.ts'
import { PictureRules } from './privacy/settings.ts'
import { createRules } from './rules/create-rules.ts'
import { teachOnThread } from './rules/teach.ts'
import { SavedSearches } from './search/saved-searches.ts'
import { Search } from './search/search.ts'
import { Tags } from './search/tags.ts'
import { checkHubSettings, type HubSettings } from './settings.ts'
import { AuditLog } from './store/audit-log.ts'
import { DataHold } from './store/data-hold.ts'
import { openLmdbStore } from './store/lmdb-store.ts'
import { StorageReport } from './store/storage-report.ts'
import { TlsKeeper } from './tls/tls-keeper.ts'

/** The model that ships with the repository. */
const EMBEDDED_MODEL = fileURLToPath(new URL('../../../models/quantized/sightline-mini/', import.meta.url))

export interface Hub {
  readonly httpPort: number
  readonly mqttPort: number
  /** What HTTP serves, and for whom; once started. */
  readonly routes: readonly ListedRoute[]
  /** Where the first admin is made, once; undefined when nobody has to sign in, or somebody can. */
  setupUrl(): string | undefined
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
  /** Called where a crash is most awkward; for tests that crash there. */
  readonly failPoint?: FailPoint | undefined
}

/** Composition root: the only place where the parts of a hub are made and joined. */
export async function createHub({ settings, log, clock, version, failPoint }: HubOptions): Promise<Hub> {
  checkHubSettings(settings)
  const dir = resolve(settings.dataDir)
  await mkdir(dir, { recursive: true })
  const { threads, provider } = settings.model
  const { model } = await openModel({
    dir: settings.model.dir ?? EMBEDDED_MODEL,
    provider,
    // What was found out about the model: checks, providers, canaries, engines.
    cacheDir: join(dir, 'model'),
    clock,
    onState: state => log.info(state, 'execution provider'),
    ...(threads > 0 ? { threads } : {}),
  })
  const store = await openLmdbStore({
    dir: join(dir, 'store'),
    minFreeBytes: settings.store.minFreeBytes,
    clock,
    log,
    failPoint,
  })
  const metrics = new Metrics()
  const rollCall = new RollCall({ store, log })

  const publish: Publish = message => broker.publish(message)
  const fleet = fleetTables(store.environment)
  const shadow = new Shadow({ tables: fleet, publish, clock, log })
  const commands = new Commands({ tables: fleet, publish, clock, log })
  const pictureRules = new PictureRules(settings.thumbnails)
  const pictures = new PictureGate({ rules: pictureRules })
  const ingest: Ingest = new Ingest({
    store,
    publish,
    fleet: {
      takeReported: (address, reported) => shadow.takeReported(address, reported),
      takeReply: async (address, reply) =>
        commands.takeReply(address, await pictures.admitReply(address.site, reply)),
    },
    pictures,
    clock,
    log,
  })
  const tls = new TlsKeeper({ settings, dataDir: dir, clock, log })
  const audit = new AuditLog({ environment: store.environment, clock, log })
  const people = createPeople({ settings, environment: store.environment, audit, context: { clock, log } })
  const registry = new LmdbDeviceRegistry(store.environment)
  const logins = new DeviceLogins({ registry, clock, log })
  const gate = new Gatekeeper({ settings, fleet: { registry, logins }, clock, log })
  const homeTopics = homeAssistantTopics(settings.homeAssistant)
  const broker: BrokerLink = openBroker({
    settings,
    ingest,
    clock,
    log,
    gate,
    tls,
    isReadableTopic: homeTopics.isReadable,
    isPassedTopic: homeTopics.isStatus,
  })
  const liveDevices = new LiveDevices({
    registry,
    broker: { expel: () => broker.expel(), publish: message => broker.publish(message) },
    clock,
    log,
  })
  const index = new IndexKeeper({
    settings: { dir: join(dir, 'index'), failPoint, ...settings.index },
    store,
    ingest,
    model,
    log,
    clock,
    open:
      settings.index.kind === 'postgres'
        ? postgresOpener({ settings: settings.index.postgres, model, log })
        : undefined,
  })
  const probe = new RecallProbe({ index, clock, log })
  const storeDir = settings.models.storeDir ?? join(dir, 'models')
  const { rules, learner, ...ruleParts } = await createRules({
    settings,
    paths: { dir, storeDir, modelDirs: [EMBEDDED_MODEL] },
    store,
    model,
    publish: message => broker.publish(message),
    labelsOf: rule => reviews.labelsOf(rule),
    teach: teachOnThread,
    clock,
    log,
  })
  const known = store.nodes()
  const health = new FleetHealth({ ingest, shadow, rules: ruleParts.distributor, clock, known })
  greetDevices({ ingest, shadow, commands, log })
  // A device of a site, a group or a model that is new gets its rules as soon as it reports.
  ingest.on('node', node => void ruleParts.distributor.notice(node))
  const tags = new Tags({ store, audit })
  const search = new Search({ store, index, tags, model, clock })
  const saved = new SavedSearches({ environment: store.environment, search, ingest, log })
  const history = new StatsHistory({ environment: store.environment, ingest, log })
  const { eraser, sweep, retention, forgetter } = createPrivacy({
    settings,
    rules: pictureRules,
    store,
    index,
    saved,
    references: { examples: ruleParts.examples, rules, commands, reports: history, learner },
    audit,
    context: { clock, log },
  })
  const importer = new Importer({ store, ingest, vectors: search.vectors })
  const storage = new StorageReport({
    dataDir: dir,
    root: store.environment.root,
    minFreeBytes: settings.store.minFreeBytes,
    clock,
  })
  const drift = new DriftReport({ store, model, clock })
  const moderator = new Moderator({ rules, model, store })
  const reviews: ReviewDesk = new ReviewDesk({ store, rules, clock, log, onReview: () => learner?.notice() })
  const backtest = new Backtest({ store, labelsOf: rule => reviews.labelsOf(rule), log })
  const homeAssistant = new HomeAssistant({
    settings: settings.homeAssistant,
    version,
    store,
    ingest,
    rules,
    db: ruleParts.db,
    publish: message => broker.publish(message),
    log,
  })
  const desk = new EnrolmentDesk({
    registry,
    audit,
    identity: {
      ca: () => tls.ca(),
      caSha256: () => tls.caSha256(),
      rulesKeys: [ruleParts.key.publicKeyPem],
    },
    clock,
    onChange: () => liveDevices.check(),
  })
  const models = modelStoreFiles(storeDir)
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
      tags,
      saved,
      importer,
      pictures: new PictureFetcher({ settings: settings.searchByUrl }),
      drift,
      storage: { storage, retention: settings.retention },
      clock,
      models,
      moderator,
      backtest,
      reviews,
      shadow,
      commands,
      health,
      history,
      forgetter,
      people,
      ruleParts,
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
  metrics.observe(
    hubProbes({
      ...{ search, model, index, broker, ingest, probe, gate, tls, eraser, pictures, sweep },
      prompts: ruleParts.prompts,
    }),
  )
  observeNodes({ registry: metrics.registry, nodes: () => store.nodes(), version })
  // The model and the store are open already: they are stopped last, after everything that uses them.
  const opened = (name: string, close: () => Promise<void>) => ({ name, start: async () => {}, stop: close })
  const services = [
    new DataHold({ dir }),
    opened('model', () => model.close()),
    opened('store', () => store.close()),
    opened('rule tables', () => ruleParts.db.close()),
    tls,
    index,
    saved,
    probe,
    retention,
    rollCall,
    broker,
    liveDevices,
    rules,
    shadow,
    ...(learner === undefined ? [] : [learner]),
    ...(settings.homeAssistant.enabled ? [homeAssistant] : []),
    backtest,
    drift,
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
    setupUrl: () => {
      const token = people.signInRequired() ? people.setup.issue() : undefined
      return token && `${hubUrls(listening()).hubUrl}/#/setup?token=${token}`
    },
    start: () => lifecycle.start(),
    stop: () => lifecycle.stop(),
    reload: async () => {
      await tls.reload()
    },
  }
}
