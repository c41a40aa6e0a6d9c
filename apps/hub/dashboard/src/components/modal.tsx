import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { Icon } from '../icons.tsx'

export interface ModalProps {
  readonly title: string
  readonly class?: string
  /** Whether what is written in it, or shown once, would be missed: it then closes only when that is meant. */
  readonly holds?: boolean
  readonly onClose: () => void
  readonly children: ComponentChildren
}

/** A native modal dialog: focus stays in it, Escape and the backdrop close it, focus returns to where it was. */
export function Modal({ title, class: name = '', holds = false, onClose, children }: ModalProps) {
  const dialog = useRef<HTMLDialogElement>(null)
  const closed = useRef(false)
  const written = useRef(false)
  const pressed = useRef<EventTarget | null>(null)
  const [asking, setAsking] = useState(false)
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
  /** True when it may close at once; else it asks. Whoever is asked and wants to leave once more leaves. */
  const mayLeave = () => {
    if (!holds || !written.current || asking) return true
    setAsking(true)
    return false
  }
  const leave = () => mayLeave() && close()
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard has Escape; this is the click on the backdrop.
    <dialog
      ref={dialog}
      class={`modal ${name}`}
      aria-label={title}
      onInput={() => {
        written.current = true
      }}
      onCancel={event => {
        if (event.target === dialog.current && !mayLeave()) event.preventDefault()
      }}
      onClose={event => event.target === dialog.current && close()}
      onPointerDown={event => {
        pressed.current = event.target
      }}
      // Text that is marked may end outside; that is no click on the backdrop.
      onClick={event => event.target === dialog.current && pressed.current === dialog.current && leave()}
    >
      <div class="modal-body">
        <header class="modal-head">
          <h2>{title}</h2>
          <button type="button" class="icon-button" aria-label="Close" onClick={leave}>
            <Icon name="close" />
          </button>
        </header>
        {asking && <Leaving onLeave={close} onStay={() => setAsking(false)} />}
        {children}
      </div>
    </dialog>
  )
}

function Leaving({ onLeave, onStay }: { onLeave: () => void; onStay: () => void }) {
  const stay = useRef<HTMLButtonElement>(null)
  useLayoutEffect(() => stay.current?.focus(), [])
  return (
    <div class="note note-warn" role="alert">
      <Icon name="alert" />
      <p>What stands here is not kept anywhere else.</p>
      <button type="button" class="button button-small button-danger" onClick={onLeave}>
        Close all the same
      </button>
      <button ref={stay} type="button" class="button button-small" onClick={onStay}>
        Stay
      </button>
    </div>
  )
}
