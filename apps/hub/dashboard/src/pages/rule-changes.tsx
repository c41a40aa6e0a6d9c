import { plural } from '../format.ts'
import { isNoChange, type RulesDiff } from '../rules-diff.ts'

/** Rules of each kind that are listed. */
const SHOWN = 50

/** What would become of the rules in force. */
export function RuleChanges({ diff }: { diff: RulesDiff }) {
  const { added, changed, removed, same } = diff
  if (isNoChange(diff)) return <p class="hint">Nothing would change: {plural(same, 'rule')} as they are.</p>
  return (
    <div class="rule-changes">
      <p>
        <span class={pill(added, 'pill-good')}>{added.length} added</span>{' '}
        <span class={pill(changed, 'pill-warn')}>{changed.length} changed</span>{' '}
        <span class={pill(removed, 'pill-bad')}>{removed.length} removed</span>{' '}
        <span class="hint">{same} as they are</span>
      </p>
      <ul class="changes">
        {added.slice(0, SHOWN).map(({ id, name, positives }) => (
          <li key={id}>
            <strong class="change-come">+ {name}</strong> <span class="hint">{id}</span>
            <p class="hint">Looks for: {positives.join(', ')}</p>
          </li>
        ))}
        {changed.slice(0, SHOWN).map(({ rule, fields }) => (
          <li key={rule.id}>
            <strong>{rule.name}</strong> <span class="hint">{rule.id}</span>
            <dl class="change-fields">
              {fields.map(({ field, before, after }) => (
                <div key={field}>
                  <dt>{field}</dt>
                  <dd>
                    {before.map(word => (
                      <del key={word}>{word}</del>
                    ))}
                    {after.map(word => (
                      <ins key={word}>{word}</ins>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </li>
        ))}
        {removed.slice(0, SHOWN).map(({ id, name }) => (
          <li key={id}>
            <strong class="change-go">− {name}</strong> <span class="hint">{id}</span>
          </li>
        ))}
      </ul>
      {Math.max(added.length, changed.length, removed.length) > SHOWN && (
        <p class="hint">Of each kind the first {SHOWN} are listed.</p>
      )}
    </div>
  )
}

function pill(rules: readonly unknown[], color: string): string {
  return rules.length === 0 ? 'pill' : `pill ${color}`
}
