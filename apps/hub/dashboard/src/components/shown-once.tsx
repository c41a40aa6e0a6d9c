import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'

export interface ShownOnceProps {
  readonly text: string
  readonly children: ComponentChildren
  readonly onDone: () => void
}

/** A secret that the hub says once: to be copied now or never. */
export function ShownOnce({ text, children, onDone }: ShownOnceProps) {
  const [copied, setCopied] = useState<boolean>()
  // The clipboard is there on https and localhost only.
  const copy = () =>
    Promise.resolve(navigator.clipboard?.writeText(text) ?? Promise.reject()).then(
      () => setCopied(true),
      () => setCopied(false),
    )
  return (
    <>
      <p>{children}</p>
      <pre class="terminal">{text}</pre>
      <p class="hint" role="status">
        {copied === true && 'Copied.'}
        {copied === false && 'The browser does not let the page copy here: select the text instead.'}
      </p>
      <footer class="modal-foot">
        <button type="button" class="button" onClick={() => void copy()}>
          Copy
        </button>
        <button type="button" class="button button-primary" onClick={onDone}>
          Done
        </button>
      </footer>
    </>
  )
}
