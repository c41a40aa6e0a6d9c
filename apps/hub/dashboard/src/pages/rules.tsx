import { reachOf } from '@sightline/core/moderation/audience.js'
import { useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { Rule, RulesDocument } from '../api-types.ts'
import { EmptyState, ErrorState, SkeletonCards } from '../components/states.tsx'
import { Icon } from '../icons.tsx'
import { formatHash, navigate } from '../router.ts'
import { idFrom, type RuleForm } from '../rule-form.ts'
import { examplesText, fleetPlaces, learntText, reachText, recordText, rollOut } from '../rule-standing.ts'
import { ALL_RULES_FILE, learnt, ruleRecords } from '../rules-api.ts'
import { useRules } from '../rules-context.ts'
import { useComplete, useLive, useResource, useServices } from '../services.ts'
import { useSession } from '../session.tsx'
import { useRuleTargets } from '../use-rule-targets.ts'
import { RuleCard } from './rule-card.tsx'
import { RuleEditor } from './rule-editor.tsx'
import { RuleHistoryDialog } from './rule-history-dialog.tsx'
import { RuleImportDialog } from './rule-import-dialog.tsx'
import { RulePacksDialog } from './rule-packs-dialog.tsx'
import { RuleRollOut } from './rule-roll-out.tsx'
import { RulesSummary } from './rules-summary.tsx'
import { SaveFailure } from './save-failure.tsx'

/** A change as a function of the list, so that it can be put on top of what somebody else saved. */
type Change = (rules: readonly Rule[]) => Rule[]

type Editing = { readonly rule: Rule | undefined; readonly draft?: Partial<RuleForm> } | undefined

export interface RulesPageProps {
  /** `example`: id of a frame that a new rule is to be made from; `text`: the words that found it. */
  readonly params: Readonly<Record<string, string>>
}

export function RulesPage({ params }: RulesPageProps) {
  const { api } = useServices()
  const rules = useRules()
  const system = useResource('system', signal => api.system(signal))
  const [editing, setEditing] = useState<Editing>(draftOf(params))
  const [saving, setSaving] = useState(false)
  const [failed, setFailed] = useState<{ error: ApiError; change: Change }>()
  const [open, setOpen] = useState<'packs' | 'history' | 'import'>()
  const [showRollOut, setShowRollOut] = useState(false)
  const live = useLive()
  const { can, scope } = useSession()
  const mayChange = can('operator')
  // Records, lessons and history are of all cameras.
  const all = scope === null
  const loaded = rules.data
  const lessons = useResource(all && loaded ? `learning ${loaded.version}` : undefined, signal =>
    learnt(api, signal),
  )
  const records = useResource(all && loaded ? `records ${loaded.version}` : undefined, signal =>
    ruleRecords(api, signal),
  )
  const { targets, current, awaited } = useRuleTargets(loaded?.version)
  const standings = rollOut(targets)
  const fleet = fleetPlaces(targets, live.nodes)
  const complete = useComplete(
    loaded !== undefined &&
      ![awaited, lessons.awaited, records.awaited].includes(true) &&
      (live.loaded || live.error !== undefined || live.state === 'lost'),
  )
  const data = complete ? loaded : undefined

  const close = () => {
    setEditing(undefined)
    setFailed(undefined)
    // Loaded again, the page does not ask again.
    if (params.example !== undefined) navigate(formatHash('rules'), { replace: true })
  }
  const published = (document: RulesDocument) => {
    rules.replace(document)
    // Not after a switch among the cards: the table would push the next switch away from under the hand.
    if (editing !== undefined || open !== undefined) setShowRollOut(true)
  }
  const save = async (change: Change, base: RulesDocument | undefined = data) => {
    if (base === undefined) return
    setSaving(true)
    setFailed(undefined)
    try {
      published(await api.putRules(change(base.rules), base.version))
      close()
    } catch (error) {
      setFailed({ error: asApiError(error), change })
    } finally {
      setSaving(false)
    }
  }
  const saveOnNewest = async () => {
    if (failed === undefined) return
    setSaving(true)
    try {
      const newest = await api.rules()
      rules.replace(newest)
      await save(failed.change, newest)
    } catch (error) {
      setFailed({ ...failed, error: asApiError(error) })
      setSaving(false)
    }
  }
  const edit = (rule: Rule | undefined) => {
    setFailed(undefined)
    setEditing({ rule })
  }
  const edited = editing?.rule
  const shown = data?.rules ?? []
  const lessonOf = (id: string) => {
    const lesson = lessons.data?.find(({ rule }) => rule === id)
    return lesson === undefined || lesson.labels === 0 ? undefined : learntText(lesson)
  }

  const factsOf = (rule: Rule) => {
    const record = records.data?.find(each => each.rule === rule.id)
    return [
      ...(fleet.length === 0 ? [] : [reachText(reachOf(rule, fleet))]),
      ...examplesText(rule),
      ...(record === undefined ? [] : [recordText(record)]),
    ]
  }

  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>Rules</h1>
          {data === undefined ? (
            <p class="page-sub rules-summary">What the cameras look for</p>
          ) : (
            <RulesSummary rules={data} rollOut={standings} current={current} />
          )}
        </div>
        {mayChange && (
          <>
            <button type="button" class="button" onClick={() => setOpen('packs')}>
              Starter packs
            </button>
            <button
              type="button"
              class="button"
              disabled={data === undefined}
              onClick={() => setOpen('import')}
            >
              Import
            </button>
          </>
        )}
        <a class="button" href={ALL_RULES_FILE} download="rules.yaml">
          Export
        </a>
        {all && (
          <button
            type="button"
            class="button"
            disabled={data === undefined}
            onClick={() => setOpen('history')}
          >
            History
          </button>
        )}
        {mayChange && (
          <button
            type="button"
            class="button button-primary"
            disabled={data === undefined}
            onClick={() => edit(undefined)}
          >
            <Icon name="plus" /> New rule
          </button>
        )}
      </header>
      {data !== undefined && standings.unsent.length > 0 && (
        <ul class="remarks hint">
          {standings.unsent.map(remark => (
            <li key={remark}>{remark}</li>
          ))}
        </ul>
      )}
      {data !== undefined && (
        <RuleRollOut rollOut={standings} current={current} open={showRollOut} onToggle={setShowRollOut} />
      )}
      {open === 'packs' && <RulePacksDialog onAdded={rules.reload} onClose={() => setOpen(undefined)} />}
      {open === 'history' && data !== undefined && (
        <RuleHistoryDialog
          rules={data}
          mayRestore={mayChange}
          onRestored={document => {
            published(document)
            setOpen(undefined)
          }}
          onClose={() => setOpen(undefined)}
        />
      )}
      {open === 'import' && data !== undefined && (
        <RuleImportDialog
          rules={data}
          onImported={document => {
            published(document)
            setOpen(undefined)
          }}
          onStale={rules.reload}
          onClose={() => setOpen(undefined)}
        />
      )}
      {failed !== undefined && editing === undefined && (
        <SaveFailure failure={failed.error} saving={saving} onSaveOnNewest={saveOnNewest} />
      )}
      {data === undefined && rules.error !== undefined && (
        <ErrorState error={rules.error} onRetry={rules.reload} />
      )}
      {data === undefined && rules.error === undefined && <SkeletonCards cards={3} class="rules" />}
      {data !== undefined && shown.length === 0 && (
        <EmptyState icon="rules" title="No rules">
          <p>Say in words what a camera should look for, and every device watches for it.</p>
          {mayChange && (
            <button type="button" class="button" onClick={() => edit(undefined)}>
              Write the first rule
            </button>
          )}
        </EmptyState>
      )}
      <ul class="rules">
        {shown.map(rule => (
          <li key={rule.id}>
            <RuleCard
              rule={rule}
              warnings={
                data?.warnings.filter(warning => warning.rule === rule.id).map(({ message }) => message) ?? []
              }
              lesson={lessonOf(rule.id)}
              facts={factsOf(rule)}
              mayChange={mayChange}
              saving={saving}
              onToggle={enabled =>
                save(list => list.map(other => (other.id === rule.id ? { ...other, enabled } : other)))
              }
              onEdit={() => edit(rule)}
              onDelete={() => save(list => list.filter(other => other.id !== rule.id))}
            />
          </li>
        ))}
      </ul>
      {editing !== undefined && data !== undefined && mayChange && (
        <RuleEditor
          key={edited?.id ?? ''}
          rule={edited}
          draft={editing.draft}
          takenIds={edited === undefined ? shown.map(({ id }) => id) : []}
          index={edited === undefined ? shown.length : shown.findIndex(({ id }) => id === edited.id)}
          cannot={system.data?.model.cannot ?? []}
          fleet={fleet}
          others={shown}
          onOther={other => {
            const pictures = new Set([...other.positiveExamples, params.example ?? ''])
            const positiveExamples = [...pictures].join('\n')
            setEditing({ rule: other, draft: { positiveExamples } })
          }}
          saving={saving}
          failure={failed?.error}
          onSave={rule => save(list => withRule(list, rule))}
          onSaveOnNewest={saveOnNewest}
          onClose={close}
        />
      )}
    </div>
  )
}

/** A new rule that a frame is the first example of. */
function draftOf({ example, text = '' }: RulesPageProps['params']): Editing {
  if (example === undefined) return undefined
  const name = text.slice(0, 1).toUpperCase() + text.slice(1)
  return { rule: undefined, draft: { name, id: idFrom(text), positives: text, positiveExamples: example } }
}

/** In its place when it is there, at the end when it is new or was deleted meanwhile. */
function withRule(rules: readonly Rule[], rule: Rule): Rule[] {
  return rules.some(({ id }) => id === rule.id)
    ? rules.map(other => (other.id === rule.id ? rule : other))
    : [...rules, rule]
}
