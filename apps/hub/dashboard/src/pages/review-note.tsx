import { useRef } from 'preact/hooks'

/** Id of the field, for the key that goes to it. */
export const NOTE = 'review-note'

/** As the API takes it. */
const MAX_LENGTH = 2000

export interface ReviewNoteProps {
  readonly note: string
  /** Whether a verdict was given, and the note that it has is another. */
  readonly unkept: boolean
  readonly onChange: (note: string) => void
  readonly onKeep: () => void
  /** Out of the field, where the keys of the page work again. */
  readonly onLeave: () => void
}

/** What goes with the verdict, in words. Enter is done with it, Escape leaves it as it was. */
export function ReviewNote({ note, unkept, onChange, onKeep, onLeave }: ReviewNoteProps) {
  const before = useRef(note)
  const onKeyDown = (event: KeyboardEvent) => {
    // The Enter that ends a composition belongs to the input method.
    if (event.isComposing) return
    if (event.key === 'Escape') onChange(before.current)
    else if (event.key !== 'Enter' || event.shiftKey) return
    event.preventDefault()
    onLeave()
    if (event.key === 'Enter' && unkept) onKeep()
  }
  return (
    <div class="review-note">
      <label for={NOTE}>
        Note, kept with the verdict{' '}
        <span class="key" aria-hidden="true">
          n
        </span>
      </label>
      <textarea
        id={NOTE}
        class="input"
        rows={2}
        maxLength={MAX_LENGTH}
        aria-keyshortcuts="n"
        value={note}
        onFocus={() => {
          before.current = note
        }}
        onInput={event => onChange(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      {unkept && (
        <button type="button" class="button button-small" onClick={onKeep}>
          Keep the note
        </button>
      )}
    </div>
  )
}
