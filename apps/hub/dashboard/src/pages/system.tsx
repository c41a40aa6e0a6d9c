import { useState } from 'preact/hooks'
import type { StorageInfo, SystemInfo } from '../api-types.ts'
import { Fact } from '../components/fact.tsx'
import { ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { bytes, count, millis, percent } from '../format.ts'
import type { MetricsText } from '../metrics-text.ts'
import { scopeWords } from '../scope-text.ts'
import { type Resource, useNow, useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { AuditTable } from './system-audit.tsx'
import { Card, Figure, Panel } from './system-card.tsx'
import { DriftTable } from './system-drift.tsx'
import { EraseButton } from './system-erase.tsx'
import { KeyList } from './system-keys.tsx'
import { QuarantineList } from './system-quarantine.tsx'
import { DiskCard, KeptCard } from './system-storage.tsx'
import { UserList } from './system-users.tsx'

const REFRESH_MS = 60_000

/** What runs here, how full and how fast it is, what went wrong, and who may do what. */
export function SystemPage() {
  const { api } = useServices()
  const { can, scope } = useSession()
  // Totals are of everything: who sees a part of it is not asked for them.
  const all = scope === null
  const [asked, setAsked] = useState(0)
  const refresh = () => setAsked(last => last + 1)
  // Whoever has the page open all day reads today's figures.
  const round = `${asked} ${Math.floor(useNow(REFRESH_MS) / REFRESH_MS)}`
  const system = useResource(`system ${round}`, signal => api.system(signal))
  const metrics = useResource(all ? `metrics ${round}` : undefined, signal => api.metrics(signal))
  const storage = useResource(all ? `storage ${round}` : undefined, signal =>
    api.read<StorageInfo>('/storage', signal),
  )
  const { data, error, reload } = system
  const busy = system.loading || metrics.loading || storage.loading
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>System</h1>
          <p class="page-sub">
            {data === undefined ? error === undefined && 'Loading…' : `Sightline ${data.version}`}
          </p>
        </div>
        <button type="button" class="button" aria-disabled={busy} onClick={() => busy || refresh()}>
          Refresh
        </button>
      </header>
      {data === undefined && error !== undefined && <ErrorState error={error} onRetry={reload} />}
      {data === undefined && error === undefined && <SkeletonCards cards={3} class="system" />}
      {data !== undefined && error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {!all && (
        <p class="hint">
          You see {scopeWords(scope)}. Figures of the whole system are for those who see all of it.
        </p>
      )}
      {data !== undefined && (
        <div class="system">
          {all && <Figures system={data} metrics={metrics} storage={storage} />}
          <ModelCard model={data.model} />
        </div>
      )}
      {all && (
        <Panel
          title="Drift"
          note="Whether cameras still see what they saw: the last day beside the week before."
        >
          <DriftTable round={asked} />
        </Panel>
      )}
      {can('admin') && (
        <>
          <Panel title="Users" note="Who signs in here, and what each may do and see.">
            <UserList round={asked} onChanged={refresh} />
          </Panel>
          <Panel title="API keys" note="For programs. A key is shown once, when it is made.">
            <KeyList round={asked} onChanged={refresh} />
          </Panel>
          <Panel
            title="Delete for good"
            note="A site, a device, a camera or a stretch of time, with all that refers to it. It is counted first."
          >
            <EraseButton onErased={refresh} />
          </Panel>
          <Panel
            title="Quarantine"
            note="Payloads that could not be decoded, newest first. Nothing of them was stored."
          >
            <QuarantineList round={round} />
          </Panel>
          <Panel title="Audit log" note="Who changed what, newest first. Rules have a history of their own.">
            <AuditTable round={round} />
          </Panel>
        </>
      )}
    </div>
  )
}

interface FiguresProps {
  readonly system: SystemInfo
  readonly metrics: Resource<MetricsText>
  readonly storage: Resource<StorageInfo>
}

function Figures({ system, metrics, storage }: FiguresProps) {
  const { counts, index, ingest } = system
  const { data, error, reload } = metrics
  const recall = data?.value('sightline_index_recall')
  const slowest = (percentile: number) => {
    const value = data?.value(`sightline_search_p${percentile}_seconds`)
    return value === undefined ? '–' : millis(value * 1000)
  }
  const rate = (cache: string) => {
    const value = data?.hitRate(cache)
    return value === undefined ? '–' : percent(value)
  }
  return (
    <>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {storage.error !== undefined && <ErrorNote error={storage.error} onRetry={storage.reload} />}
      {storage.data !== undefined && (
        <>
          <KeptCard storage={storage.data} counts={counts} />
          <DiskCard storage={storage.data} />
        </>
      )}
      <Card title="Index">
        <Figure name="Vectors" value={count(index.vectors ?? 0)} />
        <Figure name="Segments" value={count(index.segments ?? 0)} />
        <Figure name="Not yet in a segment" value={count(index.tail ?? 0)} />
        <Figure name="Removed, not merged" value={count(index.dead ?? 0)} />
        <Figure name="Memory" value={bytes(index.bytes ?? 0)} />
        <Figure name="Of other models" value={count(index.otherModels ?? 0)} />
        <Figure name="Recall@10" value={recall === undefined ? 'not measured yet' : recall.toFixed(3)} />
      </Card>
      <Card title="Search">
        <Figure name="Searches" value={whole(data?.value('sightline_search_seconds_count'))} />
        <Figure name="Half within" value={slowest(50)} />
        <Figure name="95% within" value={slowest(95)} />
        <Figure name="99% within" value={slowest(99)} />
        <Figure name="Answers from cache" value={rate('sightline_search_cache')} />
        <Figure name="Texts from cache" value={rate('sightline_text_cache')} />
      </Card>
      <Card title="Ingest since start">
        <Figure name="Messages" value={count(ingest.messages ?? 0)} />
        <Figure name="Frames" value={count(ingest.frames ?? 0)} />
        <Figure name="Duplicates" value={count(ingest.duplicates ?? 0)} />
        <Figure name="Frames erased" value={whole(data?.value('sightline_erased_frames_total'))} />
        <Figure name="Quarantined" value={count(ingest.quarantined ?? 0)} warn={!!ingest.quarantined} />
        <Figure name="Refused by the store" value={count(ingest.failures ?? 0)} warn={!!ingest.failures} />
      </Card>
    </>
  )
}

function ModelCard({ model }: Pick<SystemInfo, 'model'>) {
  return (
    <section class="card system-card" aria-label="Model">
      <h2>Model</h2>
      <dl class="facts">
        <Fact name="Name">{model.title}</Fact>
        <Fact name="Fingerprint">
          <code>{model.fingerprint}</code>
        </Fact>
        <Fact name="Embedding">{count(model.dim)} numbers</Fact>
        <Fact name="Licence">{model.license}</Fact>
      </dl>
      <p class="hint">{model.notice}</p>
    </section>
  )
}

function whole(value: number | undefined): string {
  return value === undefined ? '–' : count(value)
}
