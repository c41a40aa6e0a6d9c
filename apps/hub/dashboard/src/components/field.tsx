import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

/** Attributes that tie a control to its label, hint and fault. */
export interface ControlProps {
  readonly id: string
  readonly 'aria-invalid': boolean
  readonly 'aria-describedby': string | undefined
}

export interface FieldProps {
  readonly label: string
  readonly hint?: string
  readonly fault: string | undefined
  readonly class?: string
  readonly children: (control: ControlProps) => ComponentChildren
}

export function Field({ label, hint, fault, class: name = '', children }: FieldProps) {
  const id = useId()
  const described = [hint && `${id}-hint`, fault !== undefined && `${id}-fault`].filter(Boolean)
  const control = {
    id,
    'aria-invalid': fault !== undefined,
    'aria-describedby': described.length === 0 ? undefined : described.join(' '),
  }
  return (
    <div class={`field ${name}`}>
      <label for={id}>{label}</label>
      {children(control)}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
      {fault !== undefined && (
        <p class="fault" id={`${id}-fault`}>
          {fault}
        </p>
      )}
    </div>
  )
}

export interface SwitchProps {
  readonly label: string
  readonly checked: boolean
  readonly disabled?: boolean
  readonly onChange: (checked: boolean) => void
}

export function Switch({ label, checked, disabled = false, onChange }: SwitchProps) {
  return (
    <button
      type="button"
      class="switch"
      role="switch"
      aria-checked={checked}
      aria-label={label}
      // A control that is truly disabled loses the focus, and with it the reader's place.
      aria-disabled={disabled}
      onClick={() => disabled || onChange(!checked)}
    >
      <span class="switch-knob" aria-hidden="true" />
    </button>
  )
}
