import { useMemo, useState } from 'preact/hooks'
import { type Line, LineChart } from '../components/line-chart.tsx'
import { ErrorNote } from '../components/states.tsx'
import { type DeviceAddress, deviceStats, type StatsPoint } from '../fleet-api.ts'
import { bytes, count, millis } from '../format.ts'
import { useResource, useServices } from '../services.ts'
import { withGaps } from '../stats-series.ts'

const RANGES = [1, 6, 24] as const
/** Devices report once a minute. */
const ASK_EVERY_MS = 60_000

interface Chart {
  readonly title: string
  readonly format: (value: number) => string
  readonly lines: readonly (Omit<Line, 'values'> & { readonly read: (point: StatsPoint) => number })[]
}

const CHARTS: readonly Chart[] = [
  {
    title: 'Frames a second',
    format: value => value.toFixed(value < 10 ? 1 : 0),
    lines: [
      { name: 'seen', tone: '--text-quiet', read: point => point.seenPerSecond },
      { name: 'embedded', tone: '--accent', read: point => point.embeddedPerSecond },
    ],
  },
  {
    title: 'Time a frame takes',
    format: millis,
    lines: [
      { name: 'encoding, P50', tone: '--accent', read: point => point.encodeP50Ms },
      { name: 'decision, P95', tone: '--warn', read: point => point.decisionP95Ms },
    ],
  },
  {
    title: 'Waiting to send',
    format: count,
    lines: [{ name: 'records', tone: '--accent', read: point => point.queueRecords }],
  },
  {
    title: 'Lost',
    format: count,
    lines: [
      { name: 'records', tone: '--bad', read: point => point.lostRecords },
      { name: 'thumbnails', tone: '--warn', read: point => point.lostThumbnails },
      { name: 'frames that failed', tone: '--text-quiet', read: point => point.failedFrames },
    ],
  },
  {
    title: 'Memory',
    format: bytes,
    lines: [{ name: 'resident', tone: '--accent', read: point => point.rssBytes }],
  },
]

/** What a device reported of itself over the last hours. */
export function DeviceCharts({ device, now }: { device: DeviceAddress; now: number }) {
  const { api } = useServices()
  const [hours, setHours] = useState<number>(6)
  const question = `${device.site}/${device.node} ${hours} ${Math.floor(now / ASK_EVERY_MS)}`
  const stats = useResource(question, signal => deviceStats(api, device, { hours, signal }))
  const points = useMemo(() => withGaps(stats.data ?? []), [stats.data])
  const until = Math.floor(now / ASK_EVERY_MS) * (ASK_EVERY_MS / 1000) + ASK_EVERY_MS / 1000
  const at = useMemo(() => points.map(point => point.at), [points])
  return (
    <section class="card device-panel device-charts" aria-label="Over time">
      <header class="device-panel-head">
        <h2>Over time</h2>
        <fieldset class="ranges" aria-label="Length of time">
          {RANGES.map(range => (
            <button
              key={range}
              type="button"
              class="chip"
              aria-pressed={range === hours}
              onClick={() => setHours(range)}
            >
              {range} h
            </button>
          ))}
        </fieldset>
      </header>
      {stats.error !== undefined && <ErrorNote error={stats.error} onRetry={stats.reload} />}
      {stats.data?.length === 0 && (
        <p class="hint">Nothing yet: a device reports once a minute, and the hub keeps a day of it.</p>
      )}
      <div class="charts">
        {points.length > 0 &&
          CHARTS.map(({ title, format, lines }) => (
            <LineChart
              key={title}
              title={title}
              format={format}
              at={at}
              span={[until - hours * 3600, until]}
              lines={lines.map(({ name, tone, read }) => ({
                name,
                tone,
                values: points.map(({ point }) => (point === null ? null : read(point))),
              }))}
            />
          ))}
      </div>
    </section>
  )
}
