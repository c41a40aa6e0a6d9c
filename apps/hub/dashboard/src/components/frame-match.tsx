import type { Contribution, Frame, Hit } from '../api-types.ts'
import { matchWords, partName, partWords } from '../match-words.ts'
import { questionOf } from '../question.ts'
import { useRoute } from '../router.ts'
import { parseQuery } from '../search-query.ts'
import { useResource, useServices } from '../services.ts'
import { ScoreBar } from './marks.tsx'
import { ErrorNote } from './states.tsx'

/** Why the frame answers what is asked in the address, or by the picture that found it; nothing when nothing is asked. */
export function FrameMatch({ frame }: { frame: Frame | Hit }) {
  const { api } = useServices()
  const { page, params } = useRoute()
  const query = parseQuery(params)
  const question = page === 'search' ? questionOf(query) : undefined
  const key = question && JSON.stringify([frame.id, question])
  const { data, error, loading, reload } = useResource(key, async signal => ({
    key,
    hit: await api.explain(frame.id, question!, signal),
  }))
  const explained = data?.key === key ? data?.hit : undefined
  const hit = 'score' in frame ? frame : explained
  if (hit === undefined && error === undefined && !loading) return null
  const words = hit && matchWords(hit)
  return (
    <section class="match" aria-label="Match">
      <h3>Match</h3>
      {hit !== undefined && words !== undefined && (
        <>
          <p>
            <strong>{words.title}.</strong> {words.detail}
          </p>
          <ScoreBar score={hit.score} label="Match" strong={hit.score >= 0.5} />
        </>
      )}
      {explained !== undefined && <Contributions parts={explained.contributions} like={query.like} />}
      {loading && explained === undefined && <div class="skeleton-line" aria-busy="true" />}
      {error !== undefined && <ErrorNote error={error} onRetry={reload} />}
      {hit !== undefined && (
        <p class="hint">
          The bar is the probability that this frame, rather than a typical stored one, is meant: 50% is a
          typical frame. Cosine similarity {hit.similarity.toFixed(3)}, {hit.zScore.toFixed(1)} standard
          deviations above what is stored.
        </p>
      )}
    </section>
  )
}

const WIDTH = 100
const MIDDLE = WIDTH / 2

/** What each part of the question does: to the right for the frame, to the left against it. */
function Contributions({ parts, like }: { parts: readonly Contribution[]; like: string }) {
  const most = Math.max(1e-9, ...parts.map(({ contribution }) => Math.abs(contribution)))
  return (
    <ul class="contributions" aria-label="What each part of the question does">
      {parts.map(part => {
        const { role, subject, contribution, similarity } = part
        const length = (Math.abs(contribution) / most) * MIDDLE
        return (
          <li key={role + subject}>
            <span class="contribution-name">
              {role === 'negative' && <span class="contribution-minus">less like </span>}
              {partName(part, like)}
            </span>
            <svg
              class={contribution < 0 ? 'contribution-bar contribution-against' : 'contribution-bar'}
              viewBox={`0 0 ${WIDTH} 8`}
              preserveAspectRatio="none"
              aria-hidden="true"
            >
              <rect class="score-ground" width={WIDTH} height="8" />
              <rect
                class="contribution-fill"
                x={contribution < 0 ? MIDDLE - length : MIDDLE}
                width={length}
                height="8"
              />
              <line class="contribution-zero" x1={MIDDLE} x2={MIDDLE} y1="0" y2="8" />
            </svg>
            <span class="hint">
              {partWords(part)} · cosine {similarity.toFixed(3)}
            </span>
          </li>
        )
      })}
    </ul>
  )
}
