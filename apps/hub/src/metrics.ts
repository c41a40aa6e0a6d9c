import type { ClipModel } from '@sightline/core'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { BrokerLink } from './broker/broker-link.ts'
import type { Gate } from './broker/gatekeeper.ts'
import type { IndexKeeper } from './index/index-keeper.ts'
import type { RecallProbe } from './index/recall-probe.ts'
import type { Ingest } from './ingest/ingest.ts'
import type { PictureGate } from './privacy/picture-gate.ts'
import type { PictureSweep } from './privacy/picture-sweep.ts'
import type { Eraser } from './retention/eraser.ts'
import type { PromptCache } from './rules/prompt-cache.ts'
import type { Search } from './search/search.ts'
import type { TlsKeeper } from './tls/tls-keeper.ts'

/** Reads a counter or gauge at scrape time, so that components keep plain numbers and know no metrics library. */
export interface Probe {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  read(): number
}

const MISNAMED = [
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
  'nodejs_active_resources_total',
  'nodejs_heap_size_total_bytes',
]
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

/** The hub's metrics in Prometheus' base units, on a registry of their own. */
export class Metrics {
  readonly registry = new Registry()
  readonly searchSeconds = new Histogram({
    name: 'sightline_search_seconds',
    help: 'Time of a search, encoding of the query included.',
    buckets: SECONDS,
    registers: [this.registry],
  })
  readonly requestSeconds = new Histogram({
    name: 'sightline_http_request_seconds',
    help: 'Time of an HTTP request by route and status.',
    labelNames: ['route', 'method', 'status'],
    buckets: SECONDS,
    registers: [this.registry],
  })

  constructor() {
    collectDefaultMetrics({ register: this.registry })
    // Sizes, not counters: these names break the rules that all others follow.
    for (const name of MISNAMED) this.registry.removeSingleMetric(name)
  }

  observe(probes: readonly Probe[]): void {
    for (const { name, help, type, read } of probes) {
      if (type === 'gauge') {
        new Gauge({
          name,
          help,
          registers: [this.registry],
          collect() {
            this.set(read())
          },
        })
      } else {
        const counter = new Counter({
          name,
          help,
          registers: [this.registry],
          collect() {
            counter.reset()
            counter.inc(read())
          },
        })
      }
    }
  }
}

export interface ProbedParts {
  readonly search: Pick<Search, 'cache' | 'timings'>
  readonly model: Pick<ClipModel, 'stats'>
  readonly index: Pick<IndexKeeper, 'stats' | 'timings'>
  readonly broker: Pick<BrokerLink, 'clients' | 'stats'>
  readonly ingest: Pick<Ingest, 'stats'>
  readonly prompts: Pick<PromptCache, 'stats'>
  readonly probe: Pick<RecallProbe, 'recall'>
  readonly eraser: Pick<Eraser, 'totals'>
  readonly pictures: Pick<PictureGate, 'stats'>
  readonly sweep: Pick<PictureSweep, 'totals'>
  readonly gate: Pick<Gate, 'stats'>
  readonly tls: Pick<TlsKeeper, 'notAfter'>
}

/** What the parts of a hub count by themselves. */
export function hubProbes({
  search,
  model,
  index,
  broker,
  ingest,
  probe,
  eraser,
  pictures,
  sweep,
  gate,
  tls,
  prompts,
}: ProbedParts): Probe[] {
  const gauge = (name: string, help: string, read: () => number): Probe => ({
    name: `sightline_${name}`,
    help,
    type: 'gauge',
    read,
  })
  const total = (name: string, help: string, read: () => number): Probe => ({
    name: `sightline_${name}_total`,
    help,
    type: 'counter',
    read,
  })
  return [
    gauge('index_vectors', 'Vectors that can be searched.', () => index.stats().vectors),
    gauge('index_tail_vectors', 'Of those, searched exactly.', () => index.stats().tail),
    gauge('index_segments', 'HNSW segments.', () => index.stats().segments),
    gauge('index_dead_vectors', 'Removed vectors that still take up room.', () => index.stats().dead),
    gauge('index_bytes', 'Memory of vectors and graphs.', () => index.stats().bytes),
    gauge('index_recall', 'Recall@10 of recent searches beside exact ones.', () => probe.recall),
    ...[50, 95, 99].map(p =>
      gauge(
        `index_search_p${p}_seconds`,
        `Time in the index, percentile ${p} of the last 1024 searches.`,
        () => index.timings.percentile(p) / 1000,
      ),
    ),
    ...[50, 95, 99].map(p =>
      gauge(
        `search_p${p}_seconds`,
        `Time of a search with its encoding, percentile ${p} of the last 1024.`,
        () => search.timings.percentile(p) / 1000,
      ),
    ),
    total('search_cache_hits', 'Searches whose answer was still good.', () => search.cache.stats.hits),
    total('search_cache_misses', 'Searches that had to be answered.', () => search.cache.stats.misses),
    gauge('search_cache_bytes', 'Memory of answers that are kept.', () => search.cache.stats.bytes),
    total('text_cache_hits', 'Texts whose vector was known.', () => model.stats.text?.cache.hits ?? 0),
    total('text_cache_misses', 'Texts that had to be encoded.', () => model.stats.text?.cache.misses ?? 0),
    gauge('text_cache_bytes', 'Memory of text vectors.', () => model.stats.text?.cache.bytes ?? 0),
    total('erased_frames', 'Frames deleted by hand or by retention.', () => eraser.totals.frames),
    total('erased_bytes', 'Their vectors and thumbnails.', () => eraser.totals.bytes),
    total(
      'pictures_refused',
      'Pictures that were no JPEG, damaged or too large.',
      () => pictures.stats.refused,
    ),
    total('pictures_withheld', "Pictures left out by a site's policy.", () => pictures.stats.withheld),
    total(
      'pictures_blurred',
      "Pictures blurred by a site's policy, stored ones included.",
      () => pictures.stats.blurred + sweep.totals.blurred,
    ),
    total('pictures_cleaned', 'Pictures made anew without their metadata.', () => pictures.stats.cleaned),
    total('pictures_removed', 'Stored thumbnails removed by policy or age.', () => sweep.totals.removed),
    gauge('mqtt_clients', 'Connected MQTT clients.', () => broker.clients),
    total('mqtt_oversize', 'Connections cut off for a packet above the limit.', () => broker.stats.oversize),
    total('mqtt_refused', 'Connections refused at the limit.', () => broker.stats.refused),
    total(
      'mqtt_address_refused',
      'Connections refused at the limit of one address.',
      () => broker.stats.addressRefused,
    ),
    total(
      'mqtt_packet_timeouts',
      'Connections cut off because a packet took too long.',
      () => broker.stats.packetTimeouts,
    ),
    total(
      'mqtt_throttled',
      'Times that a connection had to wait for its message rate.',
      () => broker.stats.throttled,
    ),
    total('mqtt_tls_failures', 'TLS handshakes that failed.', () => broker.stats.tlsFailures),
    total('mqtt_auth_failures', 'MQTT log-ins refused.', () => gate.stats.authFailures),
    total(
      'mqtt_auth_blocked',
      'Connections closed unheard after failed log-ins.',
      () => gate.stats.authBlocked,
    ),
    total('mqtt_publishes_refused', 'Publishes to topics of others.', () => gate.stats.publishesRefused),
    total('mqtt_subscriptions_refused', 'Subscriptions refused.', () => gate.stats.subscriptionsRefused),
    gauge(
      'tls_certificate_not_after_timestamp_seconds',
      'End of the certificate; 0 without TLS.',
      () => (tls.notAfter ?? 0) / 1000,
    ),
    total('ingest_messages', 'MQTT messages taken in.', () => ingest.stats.messages),
    total('ingest_frames', 'Frames stored.', () => ingest.stats.frames),
    total('ingest_events', 'Incident events stored.', () => ingest.stats.events),
    total('ingest_duplicates', 'Records that were already stored.', () => ingest.stats.duplicates),
    total('ingest_quarantined', 'Payloads that could not be decoded.', () => ingest.stats.quarantined),
    total('ingest_failures', 'Messages that the store refused.', () => ingest.stats.failures),
    total('rule_prompts_cached', 'Prompts whose vector was known.', () => prompts.stats.hits),
    total('rule_prompts_embedded', 'Prompts that had to be embedded.', () => prompts.stats.misses),
  ]
}
