import type { ComponentChildren } from 'preact'
import { useJob } from '../use-job.ts'
import { Modal } from './modal.tsx'
import { ErrorNote } from './states.tsx'

export interface ConfirmProps {
  readonly title: string
  /** What the button says. */
  readonly action: string
  /** What will happen. */
  readonly children: ComponentChildren
  readonly onConfirm: () => Promise<unknown>
  readonly onDone: () => void
  readonly onClose: () => void
}

/** Asks before what cannot be taken back. */
export function Confirm({ title, action, children, onConfirm, onDone, onClose }: ConfirmProps) {
  const { busy, failed, run } = useJob()
  const go = () =>
    run(async () => {
      await onConfirm()
      onDone()
    })
  return (
    <Modal title={title} class="dialog" onClose={onClose}>
      <p>{children}</p>
      {failed !== undefined && <ErrorNote error={failed} />}
      <footer class="modal-foot">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="button button-danger" aria-disabled={busy} onClick={() => void go()}>
          {action}
        </button>
      </footer>
    </Modal>
  )
}
