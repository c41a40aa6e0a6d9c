import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** Reads a counter or gauge at scrape time, so that components keep plain numbers and know no metrics library. */
export interface Probe {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  read(): number
}

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
