import { useState } from 'preact/hooks'
import type { Rule } from '../api-types.ts'
import type { BacktestResult, ScoredFrame } from '../backtest.ts'
import { Bars } from '../components/bars.tsx'
import { count, percent, plural } from '../format.ts'
import { type Trial, useBacktest } from '../use-backtest.ts'
import { PickableFrame, type Picking } from './pickable-frame.tsx'

const RANGES = [
  { label: 'Last day', days: 1 },
  { label: 'Last week', days: 7 },
  { label: 'Everything', days: undefined },
] as const

/** What the rule as it stands in the form would have caught. Undefined: it is not complete yet. */
export function BacktestPanel({ rule, picking }: { rule: Rule | undefined; picking: Picking }) {
  const [range, setRange] = useState(2)
  const trial = useBacktest(rule, RANGES[range]!.days)
  const { result } = trial
  return (
    <section class="backtest" aria-label="What the rule would have caught">
      <header class="backtest-head">
        <h3>Would have caught</h3>
        <select
          aria-label="Time range"
          value={range}
          onChange={event => setRange(Number(event.currentTarget.value))}
        >
          {RANGES.map(({ label }, i) => (
            <option key={label} value={i}>
              {label}
            </option>
          ))}
        </select>
      </header>
      <Status rule={rule} trial={trial} />
      {result !== undefined && (
        <div class={trial.running ? 'backtest-result backtest-stale' : 'backtest-result'}>
          <Findings result={result} on={rule?.on ?? result.rule.on} picking={picking} />
        </div>
      )}
    </section>
  )
}

function Status({
  rule,
  trial: { progress, error, running, result },
}: {
  rule: Rule | undefined
  trial: Trial
}) {
  if (error !== undefined && !running) {
    return (
      <p class="note note-bad" role="status">
        <span>
          {error.message} <span class="hint">{error.remedy}</span>
        </span>
      </p>
    )
  }
  if (rule === undefined && result === undefined) {
    return <p class="hint">Say what to look for, and see at once what is stored that shows it.</p>
  }
  const share = progress === undefined || progress.total === 0 ? 0 : progress.scanned / progress.total
  return (
    <progress
      class={running ? 'backtest-progress' : 'backtest-progress backtest-idle'}
      aria-label="Trying the rule"
      max={1}
      value={running ? share : 1}
    />
  )
}

function Findings({ result, on, picking }: { result: BacktestResult; on: number; picking: Picking }) {
  const { incidents, histogram, best, borderline, labelled } = result
  if (result.frames === 0) return <p class="hint">No stored frame of these cameras in this time.</p>
  const bins = histogram.length
  return (
    <>
      <dl class="backtest-figures">
        <Figure name="incidents" value={count(incidents.total)} />
        <Figure name="a day" value={incidents.perDay.toFixed(incidents.perDay < 10 ? 1 : 0)} />
        <Figure name={`of ${plural(result.frames, 'frame')}`} value={count(result.fired)} />
        {labelled !== null && labelled.precision !== null && (
          <Figure
            name={`precision, ${plural(labelled.frames, 'reviewed frame')}`}
            value={percent(labelled.precision)}
          />
        )}
        {labelled !== null && labelled.recall !== null && (
          <Figure name="recall" value={percent(labelled.recall)} />
        )}
      </dl>
      <figure class="backtest-chart">
        <Bars
          label={`Frames by score; ${result.fired} of ${result.frames} reach ${percent(on)}`}
          mark={on}
          bars={histogram.map((value, i) => ({
            value,
            title: `${percent(i / bins)} to ${percent((i + 1) / bins)}: ${plural(value, 'frame')}`,
            strong: (i + 1) / bins > on,
          }))}
        />
        <figcaption class="hint">
          Frames by score, 0 to 100%; the line is where it fires.
          {result.belowMinSimilarity > 0 &&
            ` ${plural(result.belowMinSimilarity, 'frame')} are too unlike to count.`}
        </figcaption>
      </figure>
      {incidents.days.length > 1 && (
        <figure class="backtest-chart backtest-days">
          <Bars
            label={`Incidents by day, ${plural(incidents.days.length, 'day')}`}
            bars={incidents.days.map(({ day, incidents: value }) => ({
              value,
              title: `${day}: ${plural(value, 'incident')}`,
              strong: true,
            }))}
          />
          <figcaption class="hint">
            Incidents by day, {incidents.days[0]!.day} to {incidents.days.at(-1)!.day}.
          </figcaption>
        </figure>
      )}
      <Examples title="Surest" frames={best.filter(({ score }) => score >= on)} picking={picking} />
      <Examples title="Borderline" frames={borderline} picking={picking} />
    </>
  )
}

function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

const SHOWN = 8

interface ExamplesProps {
  readonly title: string
  readonly frames: readonly ScoredFrame[]
  readonly picking: Picking
}

function Examples({ title, frames, picking }: ExamplesProps) {
  if (frames.length === 0) return null
  return (
    <div class="examples">
      <h4>{title}</h4>
      <ul>
        {frames.slice(0, SHOWN).map(frame => (
          <PickableFrame key={frame.id} frame={frame} note={percent(frame.score)} picking={picking} />
        ))}
      </ul>
    </div>
  )
}
