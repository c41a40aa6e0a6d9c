import type { ComponentChildren } from 'preact'
import type { Job } from '../use-job.ts'
import { ErrorNote } from './states.tsx'

export interface DialogFormProps {
  readonly job: Pick<Job, 'busy' | 'failed'>
  /** On the button that sends it. */
  readonly action: string
  readonly onSubmit: () => void
  readonly onCancel: () => void
  /** The fields. */
  readonly children: ComponentChildren
}

/** What is filled in and sent in a dialog, and why it was not taken. */
export function DialogForm({ job, action, onSubmit, onCancel, children }: DialogFormProps) {
  return (
    <form
      onSubmit={event => {
        event.preventDefault()
        onSubmit()
      }}
    >
      <div class="form-stack">
        {children}
        {job.failed !== undefined && <ErrorNote error={job.failed} />}
      </div>
      <footer class="modal-foot">
        <button type="button" class="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="submit" class="button button-primary" aria-disabled={job.busy}>
          {action}
        </button>
      </footer>
    </form>
  )
}
