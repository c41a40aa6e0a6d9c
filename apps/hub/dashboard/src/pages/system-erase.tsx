import { useState } from 'preact/hooks'
import { Icon } from '../icons.tsx'
import { EraseDialog } from './erase-dialog.tsx'

/** The way to a deletion of what cameras have sent. */
export function EraseButton({ onErased }: { onErased: () => void }) {
  const [open, setOpen] = useState(false)
  return (
    <>
      <p>
        <button type="button" class="button button-small" onClick={() => setOpen(true)}>
          <Icon name="trash" /> Delete frames
        </button>
      </p>
      {open && <EraseDialog onErased={onErased} onClose={() => setOpen(false)} />}
    </>
  )
}
