import { useEffect, useRef, useState } from 'preact/hooks'
import type { Rule } from '../api-types.ts'
import { Switch } from '../components/field.tsx'
import { SeverityBadge } from '../components/marks.tsx'
import { duration, percent, plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { ruleFile } from '../rules-api.ts'

export interface RuleCardProps {
  readonly rule: Rule
  readonly warnings: readonly string[]
  /** What it learnt from reviews. */
  readonly lesson: string | undefined
  /** How far it goes, and how often it was right. */
  readonly facts: readonly string[]
  /** Whether to offer changes. */
  readonly mayChange: boolean
  readonly saving: boolean
  readonly onToggle: (enabled: boolean) => void
  readonly onEdit: () => void
  readonly onDelete: () => void
}

export function RuleCard(props: RuleCardProps) {
  const { rule, warnings, lesson, facts, mayChange, saving, onToggle, onEdit, onDelete } = props
  const [asking, setAsking] = useState(false)
  const keep = useRef<HTMLButtonElement>(null)
  const ask = useRef<HTMLButtonElement>(null)
  const asked = useRef(false)
  // Each button takes the place of the other, and its focus.
  useEffect(() => {
    if (asking) keep.current?.focus()
    else if (asked.current) ask.current?.focus()
    asked.current = asking
  }, [asking])
  return (
    <article class={rule.enabled ? 'card rule' : 'card rule rule-off'}>
      <header class="rule-head">
        <Switch
          label={`${rule.name}: enabled`}
          checked={rule.enabled}
          disabled={saving || !mayChange}
          onChange={onToggle}
        />
        <div class="rule-title">
          <h2>{rule.name}</h2>
          <p class="hint" title={rule.id}>
            <SeverityBadge severity={rule.severity} /> {rule.category}
          </p>
        </div>
      </header>
      {warnings.map(message => (
        <p key={message} class="note note-warn">
          <Icon name="alert" />
          <span>{message}</span>
        </p>
      ))}
      <Prompts title="Looks for" prompts={rule.positives} />
      {rule.negatives.length > 0 && <Prompts title="But not" prompts={rule.negatives} quiet />}
      <p class="rule-when">{conditions(rule)}</p>
      {facts.map(fact => (
        <p key={fact} class="hint">
          {fact}
        </p>
      ))}
      {lesson !== undefined && <p class="hint">Learnt: {lesson}</p>}
      <footer class="rule-foot">
        {asking ? (
          <>
            <span class="rule-ask">Delete this rule on every device?</span>
            <button
              type="button"
              class="button button-small button-danger"
              disabled={saving}
              onClick={onDelete}
            >
              Delete
            </button>
            <button ref={keep} type="button" class="button button-small" onClick={() => setAsking(false)}>
              Keep
            </button>
          </>
        ) : (
          <>
            {mayChange && (
              <button
                type="button"
                class="button button-small"
                aria-label={`Edit ${rule.name}`}
                onClick={onEdit}
              >
                <Icon name="edit" /> Edit
              </button>
            )}
            <a
              class="button button-small button-plain"
              href={ruleFile(rule.id)}
              download={`${rule.id}.yaml`}
              aria-label={`Export ${rule.name} as YAML`}
            >
              Export
            </a>
            {mayChange && (
              <button
                ref={ask}
                type="button"
                class="button button-small button-plain"
                aria-label={`Delete ${rule.name}`}
                onClick={() => setAsking(true)}
              >
                <Icon name="trash" /> Delete
              </button>
            )}
          </>
        )}
      </footer>
    </article>
  )
}

const SHOWN_PROMPTS = 6

function Prompts({
  title,
  prompts,
  quiet = false,
}: {
  title: string
  prompts: readonly string[]
  quiet?: boolean
}) {
  const rest = prompts.slice(SHOWN_PROMPTS)
  return (
    <div class={quiet ? 'prompts prompts-quiet' : 'prompts'}>
      <h3>{title}</h3>
      <ul class="tags">
        {prompts.slice(0, SHOWN_PROMPTS).map(prompt => (
          <li key={prompt} class="tag">
            {prompt}
          </li>
        ))}
        {rest.length > 0 && (
          <li class="tag tag-more" title={rest.join('\n')}>
            and {rest.length} more
          </li>
        )}
      </ul>
    </div>
  )
}

function conditions({ on, off, minFrames, offDelaySeconds, cooldownSeconds, cameras }: Rule): string {
  const everywhere = cameras.includes('*')
  return [
    `Fires at ${percent(on)}${minFrames > 1 ? ` in ${plural(minFrames, 'frame')} in a row` : ''}`,
    `lets go below ${percent(off)}${offDelaySeconds > 0 ? ` for ${duration(offDelaySeconds * 1000)}` : ''}`,
    ...(cooldownSeconds > 0 ? [`rests ${duration(cooldownSeconds * 1000)}`] : []),
    everywhere ? 'all cameras' : `cameras ${cameras.join(', ')}`,
  ].join(' · ')
}
