import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics, Timings } from '../metrics.ts'
import type { Reading } from './reading.ts'

const SECONDS = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.3, 0.5, 1, 2, 5]

export interface MetricsPageOptions {
  readonly metrics: Metrics
  readonly read: () => Reading
  readonly version: string
}

/** An agent's metrics in Prometheus' base units, read from its parts when they are asked for. */
export class MetricsPage {
  readonly #registry = new Registry()
  readonly #options: MetricsPageOptions

  constructor(options: MetricsPageOptions) {
    this.#options = options
    this.#observeProcess()
    this.#observeState()
    this.#observeCameras()
    this.#observeCounts()
    const { encode, decision } = options.metrics
    this.#histogram('encode', 'Time of a picture in the model, waiting for its batch included.', encode)
    this.#histogram('decision', 'From a frame to its verdicts, durable in the outbox.', decision)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  /** Not the library's own set: its observers stay for ever, and an agent may be made anew in one process. */
  #observeProcess(): void {
    const startedSeconds = Date.now() / 1000 - process.uptime()
    const cpuSeconds = () => {
      const { user, system } = process.cpuUsage()
      return (user + system) / 1e6
    }
    this.#total('process_cpu_seconds', 'Processor time of all threads.', cpuSeconds)
    this.#gauge('process_resident_memory_bytes', 'Memory in use.', () => process.memoryUsage.rss())
    this.#gauge('process_start_time_seconds', 'Start of the process, since the epoch.', () => startedSeconds)
  }

  #observeState(): void {
    const { read, version } = this.#options
    this.#labelled('info', 'Always 1; what runs here.', ['version', 'fingerprint', 'provider'], gauge => {
      const { fingerprint, provider } = read()
      gauge.set({ version, fingerprint, provider }, 1)
    })
    this.#gauge('model_ready', 'Whether pictures can be embedded.', () => Number(read().modelReady))
    this.#gauge('broker_connected', 'Whether the broker is connected.', () => Number(read().online))
    this.#gauge('rules_version', 'Version of the rules in force.', () => read().rulesVersion)
    this.#gauge('outbox_records', 'Records that the hub has not stored yet.', () => read().outbox.records)
    this.#gauge('outbox_bytes', 'Their size.', () => read().outbox.bytes)
    this.#gauge('outbox_limit_bytes', 'Size beyond which frames are dropped.', () => read().outboxMaxBytes)
  }

  #observeCameras(): void {
    const { read } = this.#options
    this.#labelled('camera_up', 'Whether the camera gives frames.', ['camera'], gauge => {
      for (const { camera, status } of read().cameras) gauge.set({ camera }, Number(status === 'running'))
    })
    const help = 'Time of its newest frame; none before the first.'
    this.#labelled('camera_last_frame_timestamp_seconds', help, ['camera'], gauge => {
      for (const { camera, lastFrameAt } of read().cameras)
        if (lastFrameAt !== null) gauge.set({ camera }, lastFrameAt / 1000)
    })
  }

  #observeCounts(): void {
    const { metrics, read } = this.#options
    this.#total('frames_seen', 'Frames that cameras gave.', () => metrics.framesSeen)
    this.#total('frames_gated', 'Frames like the last one that passed.', () => metrics.framesGated)
    this.#total('frames_embedded', 'Frames embedded and judged.', () => metrics.framesEmbedded)
    this.#total('frames_failed', 'Frames that could not be decoded or embedded.', () => metrics.framesFailed)
    this.#total('frames_dropped', 'Frames of cameras faster than the model.', () => metrics.framesDropped)
    this.#total('outbox_dropped_records', 'Records given up for want of space.', () => read().outbox.dropped)
    this.#total('actions_sent', 'Actions delivered.', () => metrics.actionsSent)
    this.#total('actions_failed', 'Actions given up after the last attempt.', () => metrics.actionsFailed)
    this.#total('actions_dropped', 'Actions given up because too many waited.', () => metrics.actionsDropped)
  }

  #gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: fullName(name),
      help,
      registers: [this.#registry],
      collect() {
        this.set(read())
      },
    })
  }

  #total(name: string, help: string, read: () => number): void {
    new Counter({
      name: `${fullName(name)}_total`,
      help,
      registers: [this.#registry],
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }

  #labelled<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    fill: (gauge: Gauge<Label>) => void,
  ): void {
    new Gauge({
      name: fullName(name),
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      collect() {
        this.reset()
        fill(this)
      },
    })
  }

  #histogram(name: string, help: string, timings: Timings): void {
    const histogram = new Histogram({
      name: `${fullName(name)}_seconds`,
      help,
      buckets: SECONDS,
      registers: [this.#registry],
    })
    timings.onSample = milliseconds => histogram.observe(milliseconds / 1000)
  }
}

/** `process_*` have the names that every Prometheus client gives them. */
function fullName(name: string): string {
  return name.startsWith('process_') ? name : `sightline_agent_${name}`
}
