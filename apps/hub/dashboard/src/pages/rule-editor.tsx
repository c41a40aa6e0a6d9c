import {
  audienceWarnings,
  type FleetPlace,
  fleetNames,
  reachOf,
} from '@sightline/core/moderation/audience.js'
import { useState } from 'preact/hooks'
import type { ApiError } from '../api-error.ts'
import type { Rule, Severity } from '../api-types.ts'
import { Field, Switch } from '../components/field.tsx'
import { Modal } from '../components/modal.tsx'
import { percent } from '../format.ts'
import { Icon } from '../icons.tsx'
import { type ExamplePicture, kindOf, withExample } from '../rule-examples.ts'
import {
  type FormFaults,
  faultsFromHub,
  formOf,
  idFrom,
  NEW_RULE,
  type RuleField,
  type RuleForm,
  readForm,
  SEVERITIES,
  unableConcepts,
} from '../rule-form.ts'
import { reachText } from '../rule-standing.ts'
import { AdvancedFields, hasAdvanced, type NumberFieldProps } from './advanced-fields.tsx'
import { BacktestPanel } from './backtest-panel.tsx'
import type { Picking } from './pickable-frame.tsx'
import { RulePictures } from './rule-pictures.tsx'
import { SaveFailure } from './save-failure.tsx'

export interface RuleEditorProps {
  /** The rule to change; undefined for a new one. */
  readonly rule: Rule | undefined
  /** What a new rule begins with. */
  readonly draft: Partial<RuleForm> | undefined
  readonly takenIds: readonly string[]
  /** Where the rule stands, or will stand, in the list: the hub names faults by position. */
  readonly index: number
  readonly cannot: readonly string[]
  readonly fleet: readonly FleetPlace[]
  /** Rules that the picture of a new one may be given to instead. */
  readonly others: readonly Rule[]
  readonly onOther: (rule: Rule) => void
  readonly saving: boolean
  readonly failure: ApiError | undefined
  readonly onSave: (rule: Rule) => void
  readonly onSaveOnNewest: () => void
  readonly onClose: () => void
}

export function RuleEditor(props: RuleEditorProps) {
  const { rule, draft, takenIds, index, cannot, fleet, saving, failure } = props
  const [form, setForm] = useState<RuleForm>({ ...(rule === undefined ? NEW_RULE : formOf(rule)), ...draft })
  const [picked, setPicked] = useState<ReadonlyMap<string, ExamplePicture>>(new Map())
  const [ownId, setOwnId] = useState(false)
  const [tried, setTried] = useState(false)
  const read = readForm(form, takenIds)
  const hubFaults = failure === undefined ? {} : faultsFromHub(failure.message, index)
  // A rule without a name can be tried all the same.
  const { name: _, id: __, ...trialFaults } = read.faults
  const faults: FormFaults = tried ? { ...hubFaults, ...read.faults } : {}
  const unable = unableConcepts(form, cannot)

  const reach = reachOf(read.rule, fleet)
  const unreached = audienceWarnings(read.rule, fleetNames(fleet))
  const picking: Picking = {
    kindOf: id => kindOf(form, id),
    onPick: (picture, kind) => {
      setPicked(known => new Map(known).set(picture.id, picture))
      setForm(newest => withExample(newest, picture.id, kind))
    },
  }

  const set = (field: RuleField) => (event: { currentTarget: { value: string } }) => {
    const { value } = event.currentTarget
    setForm({
      ...form,
      [field]: value,
      ...(field === 'name' && rule === undefined && !ownId ? { id: idFrom(value) } : {}),
    })
  }
  const save = () => {
    setTried(true)
    if (Object.keys(read.faults).length === 0) props.onSave(read.rule)
    else requestAnimationFrame(() => document.querySelector<HTMLElement>('[aria-invalid=true]')?.focus())
  }

  return (
    <Modal
      title={rule === undefined ? 'New rule' : 'Edit rule'}
      class="dialog editor"
      holds
      onClose={props.onClose}
    >
      <form
        noValidate
        onSubmit={event => {
          event.preventDefault()
          save()
        }}
      >
        {draft?.positiveExamples !== undefined && rule === undefined && props.others.length > 0 && (
          <label class="rule-other">
            <span>Or give the picture to a rule that is there:</span>
            <select
              class="input"
              value=""
              onChange={event => {
                const other = props.others.find(({ id }) => id === event.currentTarget.value)
                if (other !== undefined) props.onOther(other)
              }}
            >
              <option value="">Choose a rule…</option>
              {props.others.map(({ id, name }) => (
                <option key={id} value={id}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )}
        <div class="editor-columns">
          <div>
            <div class="fields">
              <Field label="Name" fault={faults.name} class="field-wide">
                {control => (
                  // The dialog would give the focus to its close button.
                  <input {...control} type="text" autofocus value={form.name} onInput={set('name')} />
                )}
              </Field>
              <Field
                label="Look for"
                hint="Describe the picture, one description a line: “a person climbing over a fence”."
                fault={faults.positives}
                class="field-wide"
              >
                {control => (
                  <textarea {...control} rows={3} value={form.positives} onInput={set('positives')} />
                )}
              </Field>
              <Field
                label="But not"
                hint="What it must not be confused with, one a line. The more of what the camera usually sees, the better."
                fault={faults.negatives}
                class="field-wide"
              >
                {control => (
                  <textarea {...control} rows={3} value={form.negatives} onInput={set('negatives')} />
                )}
              </Field>
              {unable.length > 0 && (
                <p class="note note-warn field-wide" role="status">
                  <Icon name="alert" />
                  <span>
                    This model is known to get wrong: <strong>{unable.join(', ')}</strong>. Do not rely on
                    this rule with it.
                  </span>
                </p>
              )}
              <div class="field-wide">
                <RulePictures form={form} faults={faults} picked={picked} picking={picking} />
              </div>
              <Threshold label="Fires at" value={form.on} fault={faults.on} onInput={set('on')} />
              <Threshold label="Lets go below" value={form.off} fault={faults.off} onInput={set('off')} />
              <Field label="Severity" fault={faults.severity}>
                {control => (
                  <select
                    {...control}
                    value={form.severity}
                    onChange={event => setForm({ ...form, severity: event.currentTarget.value as Severity })}
                  >
                    {SEVERITIES.map(severity => (
                      <option key={severity} value={severity}>
                        {severity}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
              <Field label="Frames in a row to fire" fault={faults.minFrames}>
                {control => (
                  <input
                    {...control}
                    type="number"
                    min={1}
                    value={form.minFrames}
                    onInput={set('minFrames')}
                  />
                )}
              </Field>
            </div>
            <p class="rule-reach hint" role="status">
              {fleet.length === 0 ? 'No device has reported yet.' : `${reachText(reach)}.`}
            </p>
            {unreached.map(message => (
              <p key={message} class="note note-warn">
                <Icon name="alert" />
                <span>{message}</span>
              </p>
            ))}
            <AdvancedFields
              form={form}
              faults={faults}
              open={tried && hasAdvanced(faults)}
              lockedId={rule !== undefined}
              set={set}
              onOwnId={() => setOwnId(true)}
            />
          </div>
          <BacktestPanel
            rule={Object.keys(trialFaults).length === 0 ? read.rule : undefined}
            picking={picking}
          />
        </div>
        {failure !== undefined && (
          <SaveFailure failure={failure} saving={saving} onSaveOnNewest={props.onSaveOnNewest} />
        )}
        <footer class="modal-foot">
          <span class="foot-switch">
            <Switch
              label="Enabled"
              checked={form.enabled}
              onChange={enabled => setForm({ ...form, enabled })}
            />
            {form.enabled ? 'Enabled' : 'Disabled'}
          </span>
          <button type="button" class="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class="button button-primary" disabled={saving}>
            {saving ? 'Saving…' : 'Save and publish'}
          </button>
        </footer>
      </form>
    </Modal>
  )
}

function Threshold({ label, value, fault, onInput }: NumberFieldProps) {
  return (
    <Field label={label} fault={fault}>
      {control => (
        <span class="threshold">
          <input {...control} type="range" min={0.01} max={1} step={0.01} value={value} onInput={onInput} />
          <output for={control.id}>{percent(Number(value))}</output>
        </span>
      )}
    </Field>
  )
}
