import type { Severity, Verdict } from '../api-types.ts'
import { absoluteTime, percent, relativeTime } from '../format.ts'
import { useRules } from '../rules-context.ts'

/** A probability as a bar and in figures. */
export function ScoreBar({
  score,
  label,
  strong = true,
}: {
  score: number
  label: string
  strong?: boolean
}) {
  return (
    <span class={strong ? 'score' : 'score score-quiet'} title={`${label}: ${percent(score)}`}>
      <svg class="score-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect class="score-ground" width="100" height="6" />
        <rect class="score-fill" width={Math.max(0, Math.min(1, score)) * 100} height="6" />
      </svg>
      <span class="score-figure">
        <span class="visually-hidden">{label} </span>
        {percent(score)}
      </span>
    </span>
  )
}

export function SeverityBadge({ severity }: { severity: Severity }) {
  return <span class={`badge severity severity-${severity}`}>{severity}</span>
}

/** The rules that fired on a frame. */
export function FiredBadges({ verdicts }: { verdicts: readonly Verdict[] }) {
  const { nameOf, data } = useRules()
  const fired = verdicts.filter(verdict => verdict.fired)
  if (fired.length === 0) return null
  return (
    <ul class="fired" aria-label="Rules that fired">
      {fired.map(({ rule }) => {
        const severity = data?.rules.find(({ id }) => id === rule)?.severity ?? 'medium'
        return (
          <li key={rule} class={`badge fired-badge severity-${severity}`}>
            {nameOf(rule)}
          </li>
        )
      })}
    </ul>
  )
}

export function Ago({ iso, now }: { iso: string; now: number }) {
  return (
    <time dateTime={iso} title={absoluteTime(iso)}>
      {relativeTime(iso, now)}
    </time>
  )
}
