import type { StorageInfo } from '../api-types.ts'
import { Ago } from '../components/marks.tsx'
import { bytes, count, plural } from '../format.ts'
import { useNow } from '../services.ts'
import { Card, Figure } from './system-card.tsx'

const STATES: Readonly<Record<StorageInfo['disk']['state'], { label: string; class: string }>> = {
  ok: { label: 'room enough', class: 'pill pill-good' },
  low: { label: 'nearly full', class: 'pill severity severity-medium' },
  refusing: { label: 'full: nothing is stored', class: 'pill pill-bad' },
}

/** Part of the data directory -> what it is to a reader; in the order in which they are shown. */
const PARTS = {
  store: 'Frames, incidents, users',
  index: 'Index',
  rules: 'Rules',
  models: 'Models for devices',
  model: 'Own model',
  other: 'Everything else',
} as const

/** How full the disk is, of what, and when it was last copied. */
export function DiskCard({ storage }: { storage: StorageInfo }) {
  const { disk, parts } = storage
  const { freeBytes, totalBytes, minFreeBytes, state } = disk
  const { label, class: name } = STATES[state]
  return (
    <section class="card system-card" aria-label="Disk">
      <header class="system-card-head">
        <h2>Disk</h2>
        <span class={name}>{label}</span>
      </header>
      <UsedBar disk={disk} />
      <p class="hint">
        {bytes(freeBytes)} of {bytes(totalBytes)} free. Below {bytes(minFreeBytes)} the hub takes in nothing
        more, and devices keep what they have.
      </p>
      <dl class="measures">
        {Object.entries(PARTS).map(([part, title]) => (
          <Figure key={part} name={title} value={bytes(parts[part] ?? 0)} />
        ))}
      </dl>
    </section>
  )
}

const WIDTH = 100

/** The part that is used, and a line from which on the hub refuses. */
function UsedBar({ disk }: { disk: StorageInfo['disk'] }) {
  const share = (free: number) => WIDTH * (1 - free / Math.max(1, disk.totalBytes))
  const used = share(disk.freeBytes)
  const mark = share(disk.minFreeBytes)
  return (
    <svg
      class={`used-bar used-${disk.state}`}
      viewBox={`0 0 ${WIDTH} 8`}
      preserveAspectRatio="none"
      role="img"
      aria-label={`${Math.round(used)}% of the disk is used`}
    >
      <rect class="used-ground" width={WIDTH} height={8} />
      <rect class="used-fill" width={used} height={8} />
      <line class="used-mark" x1={mark} x2={mark} y1={0} y2={8} />
    </svg>
  )
}

/** What is kept, for how long, and since when there is a copy. */
export function KeptCard({ storage, counts }: { storage: StorageInfo; counts: Record<string, number> }) {
  const { thumbnails, vectors, retention } = storage
  const { days, maxFramesPerCamera } = retention
  return (
    <Card title="Storage">
      <Figure name="Frames" value={count(counts.frames ?? 0)} />
      <Figure name="Incidents" value={count(counts.incidents ?? 0)} />
      <Figure name="Vectors" value={bytes(vectors.bytes)} />
      <Figure name="Thumbnails" value={`${count(thumbnails.count)}, ${bytes(thumbnails.bytes)}`} />
      <Figure name="Frames are kept" value={days === 0 ? 'for ever' : `for ${plural(days, 'day')}`} />
      <Figure
        name="Frames of a camera"
        value={maxFramesPerCamera === 0 ? 'any number' : `at most ${count(maxFramesPerCamera)}`}
      />
      <LastSnapshot snapshot={storage.snapshot} />
    </Card>
  )
}

function LastSnapshot({ snapshot }: Pick<StorageInfo, 'snapshot'>) {
  const now = useNow(10_000)
  if (snapshot === null) return <Figure name="Last snapshot" value="never" warn />
  const { at, bytes: size, error } = snapshot
  return (
    <Figure
      name="Last snapshot"
      value={
        <>
          {error === null ? `${bytes(size)}, ` : `failed (${error}), `}
          <Ago iso={at} now={now} />
        </>
      }
      warn={error !== null}
    />
  )
}
