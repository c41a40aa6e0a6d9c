import { Gauge, type Registry } from 'prom-client'
import type { NodeRecord } from '../store/record-store.ts'

/** Devices with metrics of their own; more would make every scrape of a large fleet a large one. */
const MAX_NODES = 1000

export interface NodeMetricsOptions {
  readonly registry: Registry
  readonly nodes: () => readonly NodeRecord[]
  readonly version: string
}

/** What the hub knows of its devices, so that one scrape of the hub watches them all. */
export function observeNodes({ registry, nodes, version }: NodeMetricsOptions): void {
  new Gauge({
    name: 'sightline_hub_info',
    help: 'Always 1; what runs here.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1)
  new Gauge({
    name: 'sightline_nodes',
    help: 'Devices that have reported, those without metrics of their own included.',
    registers: [registry],
    collect() {
      this.set(nodes().length)
    },
  })
  const perNode = (name: string, help: string, read: (node: NodeRecord) => number | null) =>
    new Gauge({
      name: `sightline_node_${name}`,
      help: `${help} The first ${MAX_NODES} devices.`,
      labelNames: ['site', 'node'],
      registers: [registry],
      collect() {
        this.reset()
        for (const record of nodes().slice(0, MAX_NODES)) {
          const value = read(record)
          if (value !== null) this.set({ site: record.site, node: record.node }, value)
        }
      },
    })
  perNode('online', 'Whether the device is connected.', ({ state }) => Number(state?.online === true))
  perNode('last_seen_timestamp_seconds', 'Newest message of any kind.', node => node.lastSeenAt / 1000)
  perNode('last_data_timestamp_seconds', 'Newest frame; none before the first.', ({ lastDataAt }) =>
    lastDataAt === null ? null : lastDataAt / 1000,
  )
  perNode('cameras', 'Cameras that the device has.', ({ state }) => state?.cameras.length ?? null)
  perNode(
    'cameras_failed',
    'Of those, cameras that give no frames.',
    ({ state }) => state?.cameras.filter(({ status }) => status === 'failed').length ?? null,
  )
  perNode(
    'temperature_celsius',
    'Hottest zone of the device; none where none is measured.',
    ({ stats }) => stats?.temperatureC ?? null,
  )
  perNode('outbox_records', 'What the device still has to send.', ({ stats }) => stats?.outboxRecords ?? null)
  perNode('outbox_bytes', 'Their disk space.', ({ stats }) => stats?.outboxBytes ?? null)
  perNode(
    'outbox_limit_bytes',
    'Disk space beyond which the device gives records up.',
    ({ stats }) => stats?.outboxMaxBytes ?? null,
  )
  perNode(
    'outbox_dropped_records',
    'Records that the device gave up for want of space, since its outbox was made.',
    ({ stats }) => stats?.outboxDropped ?? null,
  )
  perNode(
    'outbox_dropped_events',
    'Of those, steps of incidents.',
    ({ stats }) => stats?.outboxDroppedEvents ?? null,
  )
  perNode(
    'outbox_dropped_thumbnails',
    'Frames that gave up their thumbnail for want of space.',
    ({ stats }) => stats?.outboxDroppedThumbnails ?? null,
  )
}
