import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { Icon } from '../icons.tsx'

export interface ModalProps {
  readonly title: string
  readonly class?: string
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** A native modal dialog: focus stays in it, Escape and the backdrop close it, focus returns to where it was. */
export function Modal({ title, class: name = '', onClose, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const closed = useRef(false)
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    return () => {
      closed.current = true
      element?.close()
    }
  }, [])
  const close = () => {
    if (!closed.current) onClose()
  }
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard has Escape; this is the click on the backdrop.
    <dialog
      ref={dialog}
      class={`modal ${name}`}
      aria-label={title}
      onClose={close}
      onClick={event => event.target === dialog.current && close()}
    >
      <div class="modal-body">
        <header class="modal-head">
          <h2>{title}</h2>
          <button type="button" class="icon-button" aria-label="Close" onClick={close}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}
