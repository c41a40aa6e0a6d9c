import { useEffect, useRef, useState } from 'preact/hooks'
import { Thumbnail } from '../components/thumbnail.tsx'
import { Icon } from '../icons.tsx'
import { pictureIn } from '../picture.ts'

export interface Subject {
  readonly label: string
  readonly url: string
}

export interface SearchBoxProps {
  readonly text: string
  /** The picture or the frame that is searched by, when it is not words. */
  readonly subject: Subject | undefined
  readonly onText: (text: string) => void
  readonly onPicture: (file: File) => void
  readonly onClear: () => void
}

export function SearchBox({ text, subject, onText, onPicture, onClear }: SearchBoxProps) {
  const [typed, setTyped] = useState(text)
  const input = useRef<HTMLInputElement>(null)
  const file = useRef<HTMLInputElement>(null)
  const dropping = usePictures(onPicture)
  useEffect(() => setTyped(text), [text])
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      const { target } = event
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return
      if (target instanceof HTMLElement && target.closest('input, textarea, select, dialog') !== null) return
      event.preventDefault()
      input.current?.focus()
      input.current?.select()
    }
    addEventListener('keydown', focus)
    return () => removeEventListener('keydown', focus)
  }, [])

  return (
    <search>
      <form
        class="search-box"
        onSubmit={event => {
          event.preventDefault()
          // The keyboard of a phone would cover what was found.
          if (matchMedia('(pointer: coarse)').matches) input.current?.blur()
          onText(typed.trim())
        }}
      >
        <Icon name="search" />
        {subject !== undefined && (
          <span class="subject">
            <Thumbnail url={subject.url} alt="" none="" />
            <span class="subject-label">{subject.label}</span>
            <button
              type="button"
              class="subject-clear"
              aria-label={`Remove ${subject.label}`}
              onClick={() => {
                // This button goes; the focus stays in the box.
                input.current?.focus()
                onClear()
              }}
            >
              <Icon name="close" />
            </button>
          </span>
        )}
        <input
          ref={input}
          type="search"
          enterkeyhint="search"
          aria-label="Search all cameras"
          placeholder={subject === undefined ? 'What are you looking for?' : 'or by words'}
          autocomplete="off"
          maxLength={2000}
          value={typed}
          onInput={event => setTyped(event.currentTarget.value)}
        />
        <kbd class="search-key" title="Press / to search">
          /
        </kbd>
        <button
          type="button"
          class="icon-button"
          aria-label="Search by a picture"
          title="Search by a picture: choose, paste or drop one"
          onClick={() => file.current?.click()}
        >
          <Icon name="image" />
        </button>
        <input
          ref={file}
          class="visually-hidden"
          type="file"
          accept="image/*"
          tabIndex={-1}
          aria-hidden="true"
          onChange={event => {
            const chosen = event.currentTarget.files?.[0]
            if (chosen !== undefined) onPicture(chosen)
            event.currentTarget.value = ''
          }}
        />
        <button type="submit" class="button button-primary search-submit">
          Search
        </button>
      </form>
      {dropping && (
        <div class="drop" aria-hidden="true">
          <Icon name="image" />
          <p>Drop the picture to search by it</p>
        </div>
      )}
    </search>
  )
}

/** Pictures pasted or dropped anywhere on the page; true while one is dragged over it. */
function usePictures(onPicture: (file: File) => void): boolean {
  const [dropping, setDropping] = useState(false)
  const newest = useRef(onPicture)
  newest.current = onPicture
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const picture = pictureIn(event.clipboardData)
      if (picture !== undefined) newest.current(picture)
    }
    const over = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return
      event.preventDefault()
      setDropping(true)
    }
    const leave = (event: DragEvent) => {
      if (event.relatedTarget === null) setDropping(false)
    }
    const drop = (event: DragEvent) => {
      setDropping(false)
      const dropped = pictureIn(event.dataTransfer) ?? event.dataTransfer?.files[0]
      if (dropped === undefined) return
      event.preventDefault()
      newest.current(dropped)
    }
    addEventListener('paste', paste)
    addEventListener('dragover', over)
    addEventListener('dragleave', leave)
    addEventListener('drop', drop)
    return () => {
      removeEventListener('paste', paste)
      removeEventListener('dragover', over)
      removeEventListener('dragleave', leave)
      removeEventListener('drop', drop)
    }
  }, [])
  return dropping
}
