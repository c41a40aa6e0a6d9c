import { Field } from '../components/field.tsx'
import type { FormFaults, RuleField, RuleForm } from '../rule-form.ts'

export interface AdvancedFieldsProps {
  readonly form: RuleForm
  readonly faults: FormFaults
  readonly open: boolean
  readonly lockedId: boolean
  readonly set: (field: RuleField) => OnInput
  /** The id no longer follows the name. */
  readonly onOwnId: () => void
}

type OnInput = (event: { currentTarget: { value: string } }) => void

const ADVANCED = [
  'id',
  'category',
  'cameras',
  'sites',
  'groups',
  'templates',
  'schedule',
  'timeZone',
  'actions',
  'reviewAt',
  'minSimilarity',
  'minExampleSimilarity',
  'windowSeconds',
  'offDelaySeconds',
  'cooldownSeconds',
] as const satisfies readonly RuleField[]

export function hasAdvanced(faults: FormFaults): boolean {
  return ADVANCED.some(field => faults[field] !== undefined)
}

/** All that a rule can do without. */
export function AdvancedFields({ form, faults, open, lockedId, set, onOwnId }: AdvancedFieldsProps) {
  const given = (field: RuleField) => ({
    value: String(form[field]),
    fault: faults[field],
    onInput: set(field),
  })
  return (
    <details class="advanced" open={open}>
      <summary>Advanced</summary>
      <div class="fields">
        <Lines label="Cameras" hint="One a line; * stands for anything." {...given('cameras')} />
        <Lines
          label="On duty"
          hint="Empty: always. Lines like “mon-fri 08:00-18:00”, “daily 22:00-06:00”."
          {...given('schedule')}
        />
        <TextField label="Time zone" hint="For the hours above." {...given('timeZone')} />
        <NumberField
          label="Review from"
          hint="Worth a look below the firing score; empty: never."
          {...given('reviewAt')}
        />
        <NumberField
          label="Window for the frames, s"
          hint="0: the frames to fire are in a row."
          {...given('windowSeconds')}
        />
        <NumberField label="Hold after the last frame, s" {...given('offDelaySeconds')} />
        <NumberField label="Rest between incidents, s" {...given('cooldownSeconds')} />
        <Lines label="Actions" hint="Names from the devices’ settings, one a line." {...given('actions')} />
        <Lines label="Sites" hint="Whose devices get the rule." {...given('sites')} />
        <Lines label="Groups" hint="Groups of devices that get it." {...given('groups')} />
        <Lines label="Templates" hint="One a line; {} is the prompt." {...given('templates')} />
        <TextField label="Category" hint="For example safety/fire." {...given('category')} />
        <NumberField
          label="Least similarity"
          hint="Raw cosine of the best prompt, −1 to 1."
          {...given('minSimilarity')}
        />
        <NumberField
          label="Least similarity of a picture"
          hint="Raw cosine to an example that counts by itself."
          {...given('minExampleSimilarity')}
        />
        <Field label="Id" hint="Lasting name in events and logs." fault={faults.id}>
          {control => (
            <input
              {...control}
              type="text"
              value={form.id}
              readOnly={lockedId}
              onInput={event => {
                onOwnId()
                set('id')(event)
              }}
            />
          )}
        </Field>
      </div>
    </details>
  )
}

export interface NumberFieldProps {
  readonly label: string
  readonly hint?: string
  readonly value: string
  readonly fault: string | undefined
  readonly onInput: OnInput
}

function NumberField({ label, hint, value, fault, onInput }: NumberFieldProps) {
  return (
    <Field label={label} {...(hint === undefined ? {} : { hint })} fault={fault}>
      {control => <input {...control} type="number" step="any" value={value} onInput={onInput} />}
    </Field>
  )
}

function TextField({ label, hint, value, fault, onInput }: NumberFieldProps) {
  return (
    <Field label={label} {...(hint === undefined ? {} : { hint })} fault={fault}>
      {control => <input {...control} type="text" value={value} onInput={onInput} />}
    </Field>
  )
}

function Lines({ label, hint, value, fault, onInput }: NumberFieldProps) {
  return (
    <Field label={label} {...(hint === undefined ? {} : { hint })} fault={fault}>
      {control => <textarea {...control} rows={2} value={value} onInput={onInput} />}
    </Field>
  )
}
