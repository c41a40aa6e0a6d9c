import { useId, useRef, useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { Frame } from '../api-types.ts'
import { Icon } from '../icons.tsx'
import { formatHash } from '../router.ts'
import { useSession } from '../session.tsx'
import { type TagChange, useTags } from '../tags-context.ts'
import { ErrorNote } from './states.tsx'

const MAX_LENGTH = 64

/** What people call a frame by, and a way to give and take it for whoever may. Nothing where there is nothing to see. */
export function FrameTags({ frame }: { frame: Frame }) {
  const tags = useTags()
  const mayTag = useSession().can('operator')
  const [text, setText] = useState('')
  const [failed, setFailed] = useState<ApiError>()
  const [said, setSaid] = useState('')
  const field = useRef<HTMLInputElement>(null)
  const suggestions = useId()
  const own = tags.of(frame)
  if (own.length === 0 && !mayTag) return null

  const change = async (wanted: TagChange, done: string) => {
    setFailed(undefined)
    try {
      await tags.change(frame, wanted)
      setSaid(done)
      return true
    } catch (error) {
      setFailed(asApiError(error))
      return false
    }
  }
  const add = async () => {
    const tag = text.trim()
    if (tag !== '' && (await change({ add: [tag] }, `Tagged ${tag}`))) setText('')
  }
  return (
    <section>
      <h3>Tags</h3>
      {own.length > 0 && (
        <ul class="tags" aria-label="Tags">
          {own.map(tag => (
            <li key={tag} class="tag frame-tag">
              <a href={formatHash('search', { tag })} title="Search within this tag">
                {tag}
              </a>
              {mayTag && (
                <button
                  type="button"
                  class="frame-tag-drop"
                  aria-label={`Take the tag ${tag} away`}
                  onClick={() => {
                    // This button goes; the focus stays beside it.
                    field.current?.focus()
                    void change({ remove: [tag] }, `${tag} taken away`)
                  }}
                >
                  <Icon name="close" />
                </button>
              )}
            </li>
          ))}
        </ul>
      )}
      {mayTag && (
        <form
          class="frame-tag-form"
          onSubmit={event => {
            event.preventDefault()
            void add()
          }}
        >
          <input
            ref={field}
            type="text"
            class="input"
            aria-label="New tag"
            placeholder="A case, a collection, a word to find it by"
            maxLength={MAX_LENGTH}
            list={suggestions}
            value={text}
            onInput={event => setText(event.currentTarget.value)}
          />
          <datalist id={suggestions}>
            {tags.all
              .filter(({ tag }) => !own.includes(tag))
              .map(({ tag }) => (
                <option key={tag} value={tag} />
              ))}
          </datalist>
          <button type="submit" class="button" aria-disabled={text.trim() === ''}>
            Tag
          </button>
        </form>
      )}
      <p class="visually-hidden" role="status">
        {said}
      </p>
      {failed !== undefined && <ErrorNote error={failed} />}
    </section>
  )
}
