import type { ComponentChildren } from 'preact'
import type { SystemInfo } from '../api-types.ts'
import { Fact } from '../components/fact.tsx'
import { ErrorNote, ErrorState, SkeletonCards } from '../components/states.tsx'
import { bytes, count, millis, percent } from '../format.ts'
import type { MetricsText } from '../metrics-text.ts'
import { type Resource, useResource, useServices } from '../services.ts'
import { AuditTable } from './system-audit.tsx'
import { DriftTable } from './system-drift.tsx'
import { QuarantineList } from './system-quarantine.tsx'

/** What runs here, how full and how fast it is, and what went wrong. */
export function SystemPage() {
  const { api } = useServices()
  const system = useResource('system', signal => api.system(signal))
  const metrics = useResource('metrics', signal => api.metrics(signal))
  const { data, error, reload } = system
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>System</h1>
          <p class="page-sub">{data === undefined ? 'Loading…' : `Sightline ${data.version}`}</p>
        </div>
        <button
          type="button"
          class="button"
          disabled={system.loading || metrics.loading}
          onClick={() => {
            reload()
            metrics.reload()
          }}
        >
          Refresh
        </button>
      </header>
      {data === undefined && error !== undefined && <ErrorState error={error} onRetry={reload} />}
      {data === undefined && error === undefined && <SkeletonCards cards={3} class="system" />}
      {data !== undefined && error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {data !== undefined && <Figures system={data} metrics={metrics} />}
      <Panel
        title="Drift"
        note="Whether cameras still see what they saw: the last day beside the week before."
      >
        <DriftTable />
      </Panel>
      <Panel
        title="Quarantine"
        note="Payloads that could not be decoded, newest first. Nothing of them was stored."
      >
        <QuarantineList />
      </Panel>
      <Panel title="Audit log" note="Who changed what, newest first.">
        <AuditTable />
      </Panel>
    </div>
  )
}

function Figures({ system, metrics }: { system: SystemInfo; metrics: Resource<MetricsText> }) {
  const { counts, index, ingest, model } = system
  const { data, error, reload } = metrics
  const recall = data?.value('sightline_index_recall')
  const seconds = (share: number) => {
    const value = data?.quantile('sightline_search_seconds', share)
    return value === undefined ? '–' : millis(value * 1000)
  }
  const rate = (cache: string) => {
    const value = data?.hitRate(cache)
    return value === undefined ? '–' : percent(value)
  }
  return (
    <>
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      <div class="system">
        <Card title="Storage">
          <Figure name="Frames" value={count(counts.frames ?? 0)} />
          <Figure name="Thumbnails" value={count(counts.thumbnails ?? 0)} />
          <Figure name="Incidents" value={count(counts.incidents ?? 0)} />
          <Figure name="Frames erased" value={whole(data?.value('sightline_erased_frames_total'))} />
        </Card>
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
          <Figure name="Half within" value={seconds(0.5)} />
          <Figure name="95% within" value={seconds(0.95)} />
          <Figure name="Answers from cache" value={rate('sightline_search_cache')} />
          <Figure name="Texts from cache" value={rate('sightline_text_cache')} />
        </Card>
        <Card title="Ingest since start">
          <Figure name="Messages" value={count(ingest.messages ?? 0)} />
          <Figure name="Frames" value={count(ingest.frames ?? 0)} />
          <Figure name="Duplicates" value={count(ingest.duplicates ?? 0)} />
          <Figure name="Quarantined" value={count(ingest.quarantined ?? 0)} warn={!!ingest.quarantined} />
          <Figure name="Refused by the store" value={count(ingest.failures ?? 0)} warn={!!ingest.failures} />
        </Card>
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
      </div>
    </>
  )
}

function Card({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="card system-card" aria-label={title}>
      <h2>{title}</h2>
      <dl class="measures">{children}</dl>
    </section>
  )
}

function Figure({ name, value, warn = false }: { name: string; value: string; warn?: boolean }) {
  return (
    <div class={warn ? 'measure measure-warn' : 'measure'}>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function Panel({ title, note, children }: { title: string; note: string; children: ComponentChildren }) {
  return (
    <section class="card system-panel" aria-label={title}>
      <h2>{title}</h2>
      <p class="hint">{note}</p>
      {children}
    </section>
  )
}

function whole(value: number | undefined): string {
  return value === undefined ? '–' : count(value)
}
