import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Clock, Lifecycle, type Log, loadModel } from '@sightline/core'
import { modelStoreFiles } from '@sightline/models/store/model-store.js'
import { HttpApi } from './api/server.ts'
import { Broker } from './broker/broker.ts'
import { Commands } from './fleet/commands.ts'
import { FleetHealth } from './fleet/fleet-health.ts'
import { fleetTables } from './fleet/fleet-tables.ts'
import { greetDevices } from './fleet/greeting.ts'
import { RollCall } from './fleet/roll-call.ts'
import { Shadow } from './fleet/shadow.ts'
import { IndexKeeper } from './index/index-keeper.ts'
import type { Publish } from './ingest/ack-sender.ts'
import { Ingest } from './ingest/ingest.ts'
import { hubProbes, Metrics } from './metrics.ts'
import { Backtest } from './moderation/backtest.ts'
import { Moderator } from './moderation/moderator.ts'
import { ReviewDesk } from './moderation/review-desk.ts'
import { RuleDesk } from './rules/rule-desk.ts'
import { Search } from './search/search.ts'
import type { HubSettings } from './settings.ts'
import { openLmdbStore } from './store/lmdb-store.ts'

/** The model that ships with the repository. */
const EMBEDDED_MODEL = fileURLToPath(new URL('../../../models/quantized/sightline-mini/', import.meta.url))

export interface Hub {
  readonly httpPort: number
  readonly mqttPort: number
  start(): Promise<void>
  stop(): Promise<void>
}

export interface HubOptions {
  readonly settings: HubSettings
  readonly log: Log
  readonly clock: Clock
  readonly version: string
}

/** Composition root: the only place where the parts of a hub are made and joined. */
export async function createHub({ settings, log, clock, version }: HubOptions): Promise<Hub> {
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

  const publish: Publish = message => broker.publish(message)
  const fleet = fleetTables(store.environment)
  const shadow = new Shadow({ tables: fleet, publish, clock, log })
  const commands = new Commands({ tables: fleet, publish, clock, log })
  const ingest: Ingest = new Ingest({
    store,
    publish,
    fleet: {
      takeReported: (address, reported) => shadow.takeReported(address, reported),
      takeReply: (address, reply) => commands.takeReply(address, reply),
    },
    clock,
    log,
  })
  const broker: Broker = new Broker({ settings: settings.mqtt, ingest, log })
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
  const health = new FleetHealth({ ingest, shadow, rules, clock })
  greetDevices({ ingest, shadow, commands, log })
  const search = new Search({ store, index, model, log })
  const moderator = new Moderator({ rules, model, store })
  const reviews = new ReviewDesk({ store, rules, clock, log })
  const backtest = new Backtest({ store, labelsOf: rule => reviews.labelsOf(rule), log })
  const models = modelStoreFiles(settings.models.storeDir ?? join(dir, 'models'))
  const http = new HttpApi({
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
      shadow,
      commands,
      health,
    },
    metrics,
    log,
    version,
  })
  metrics.observe(hubProbes({ index, broker, ingest }))
  // The model and the store are open already: they are stopped last, after everything that uses them.
  const opened = (name: string, close: () => Promise<void>) => ({ name, start: async () => {}, stop: close })
  const services = [
    opened('model', () => model.close()),
    opened('store', () => store.close()),
    index,
    rollCall,
    broker,
    rules,
    shadow,
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
    start: () => lifecycle.start(),
    stop: () => lifecycle.stop(),
  }
}
