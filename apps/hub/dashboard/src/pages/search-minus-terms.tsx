import { Icon } from '../icons.tsx'
import { joinWords, splitWords } from '../minus-terms.ts'

export interface MinusTermsProps {
  readonly text: string
  /** Nothing says what to look for. */
  readonly alone: boolean
  readonly onText: (text: string) => void
}

/** What the results should not be like, each with a way to drop it. */
export function MinusTerms({ text, alone, onText }: MinusTermsProps) {
  const { wanted, unwanted } = splitWords(text)
  if (unwanted.length === 0) return null
  return (
    <div class="minus-terms">
      <span class="hint" id="minus-terms">
        Less like
      </span>
      <ul class="minus-list" aria-labelledby="minus-terms">
        {unwanted.map(term => (
          <li key={term}>
            <button
              type="button"
              class="chip"
              aria-label={`Remove minus ${term}`}
              onClick={() =>
                onText(joinWords({ wanted, unwanted: unwanted.filter(other => other !== term) }))
              }
            >
              − {term} <Icon name="close" />
            </button>
          </li>
        ))}
      </ul>
      {alone && (
        <p class="hint" role="status">
          Say also what to look for, as in <q>a beach -people</q>.
        </p>
      )}
    </div>
  )
}
