import { useEffect, useRef, useState } from 'preact/hooks'
import { asApiError } from '../api-error.ts'
import { Thumbnail } from '../components/thumbnail.tsx'
import { Icon } from '../icons.tsx'
import { pictureIn, preparePicture } from '../picture.ts'
import {
  type ExampleKind,
  type ExamplePicture,
  examplePictures,
  examplesIn,
  uploadExample,
} from '../rule-examples.ts'
import type { FormFaults, RuleForm } from '../rule-form.ts'
import { useResource, useServices } from '../services.ts'
import { FramePicker } from './frame-picker.tsx'
import type { Picking } from './pickable-frame.tsx'

const SIDES = [
  {
    kind: 'positiveExamples',
    title: 'Pictures like',
    other: 'negativeExamples',
    turn: 'unlike',
  },
  {
    kind: 'negativeExamples',
    title: 'Pictures unlike',
    other: 'positiveExamples',
    turn: 'like',
  },
] as const

export interface RulePicturesProps {
  readonly form: RuleForm
  readonly faults: FormFaults
  /** Pictures that were picked elsewhere on the page, by id. */
  readonly picked: ReadonlyMap<string, ExamplePicture>
  readonly picking: Picking
}

/** The pictures that a rule is shown: uploaded, pasted, dropped, or stored ones. */
export function RulePictures({ form, faults, picked, picking }: RulePicturesProps) {
  const { api } = useServices()
  const [trouble, setTrouble] = useState('')
  const [uploads, setUploads] = useState(0)
  const [finding, setFinding] = useState(false)
  const ids = SIDES.flatMap(({ kind }) => examplesIn(form, kind))
  const unknown = ids.filter(id => !picked.has(id))
  const loaded = useResource(unknown.length === 0 ? undefined : unknown.join(), signal =>
    examplePictures(api, unknown, signal),
  )
  const pictureOf = (id: string) => picked.get(id) ?? loaded.data?.get(id)

  const add = async (kind: ExampleKind, files: readonly File[]) => {
    setTrouble('')
    for (const file of files) {
      setUploads(count => count + 1)
      try {
        const prepared = await preparePicture(file)
        if (typeof prepared === 'string') {
          setTrouble(prepared)
          continue
        }
        URL.revokeObjectURL(prepared.url)
        picking.onPick(await uploadExample(api, prepared.blob), kind)
      } catch (error) {
        const { code, message, remedy } = asApiError(error)
        setTrouble(`${message}. ${remedy} (${code})`)
      } finally {
        setUploads(count => count - 1)
      }
    }
  }
  const newest = useRef(add)
  newest.current = add
  useEffect(() => {
    const paste = (event: ClipboardEvent) => {
      const picture = pictureIn(event.clipboardData)
      if (picture === undefined) return
      event.preventDefault()
      const unlike = document.activeElement?.closest('[data-kind=negativeExamples]') != null
      void newest.current(unlike ? 'negativeExamples' : 'positiveExamples', [picture])
    }
    addEventListener('paste', paste)
    return () => removeEventListener('paste', paste)
  }, [])

  return (
    <section class="rule-pictures" aria-label="Example pictures">
      <div class="fields">
        {SIDES.map(({ kind, title, other, turn }) => (
          <Side key={kind} kind={kind} title={title} onFiles={files => void add(kind, files)}>
            {examplesIn(form, kind).map(id => {
              const picture = pictureOf(id)
              const gone = picture === null
              const name = `${id.startsWith('ex:') ? 'uploaded picture' : 'stored picture'} ${id}`
              return (
                <li key={id} title={id} class={`pick-${kind}`}>
                  <Thumbnail
                    url={picture?.thumbnailUrl ?? null}
                    alt={name}
                    none={gone ? 'Gone' : 'No picture'}
                  />
                  <span class="pick">
                    <button
                      type="button"
                      class="pick-button"
                      title={`It is ${turn} what the rule looks for`}
                      aria-label={`Move to “Pictures ${turn}”: ${name}`}
                      onClick={() => picking.onPick(picture ?? { id, thumbnailUrl: null }, other)}
                    >
                      {turn === 'like' ? '+' : '−'}
                    </button>
                    <button
                      type="button"
                      class="pick-button"
                      title="Remove"
                      aria-label={`Remove: ${name}`}
                      onClick={() => picking.onPick(picture ?? { id, thumbnailUrl: null }, undefined)}
                    >
                      ×
                    </button>
                  </span>
                </li>
              )
            })}
          </Side>
        ))}
      </div>
      {SIDES.map(
        ({ kind }) =>
          faults[kind] !== undefined && (
            <p key={kind} class="fault" role="alert">
              {faults[kind]}
            </p>
          ),
      )}
      <p class="hint" role="status">
        {uploads > 0 && 'Taking the picture in…'}
      </p>
      {trouble !== '' && (
        <p class="note note-bad" role="alert">
          <Icon name="alert" />
          <span>{trouble}</span>
        </p>
      )}
      <button
        type="button"
        class="button button-small"
        aria-expanded={finding}
        onClick={() => setFinding(!finding)}
      >
        <Icon name="search" /> {finding ? 'Close stored pictures' : 'From stored pictures'}
      </button>
      {finding && <FramePicker asked={form.positives.split('\n')[0]?.trim() ?? ''} picking={picking} />}
    </section>
  )
}

interface SideProps {
  readonly kind: ExampleKind
  readonly title: string
  readonly onFiles: (files: readonly File[]) => void
  readonly children: readonly preact.ComponentChild[]
}

/** One side, which takes what is dropped on it. */
function Side({ kind, title, onFiles, children }: SideProps) {
  const file = useRef<HTMLInputElement>(null)
  const [over, setOver] = useState(false)
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out as a grid item with a legend in it.
    <div
      role="group"
      class={over ? 'pictures-side pictures-over' : 'pictures-side'}
      aria-label={title}
      data-kind={kind}
      onDragOver={event => {
        if (event.dataTransfer?.types.includes('Files') !== true) return
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={event => {
        setOver(false)
        const files = [...(event.dataTransfer?.files ?? [])]
        if (files.length === 0) return
        event.preventDefault()
        onFiles(files)
      }}
    >
      <h3>{title}</h3>
      <ul class="pictures">
        {children}
        <li>
          <button
            type="button"
            class="pictures-add"
            aria-label={`Choose, drop or paste: ${title}`}
            title="Choose, drop or paste a picture"
            onClick={() => file.current?.click()}
          >
            <Icon name="plus" />
            <span>Choose, drop or paste</span>
          </button>
        </li>
      </ul>
      <input
        ref={file}
        class="visually-hidden"
        type="file"
        accept="image/*"
        multiple
        tabIndex={-1}
        aria-hidden="true"
        onChange={event => {
          onFiles([...(event.currentTarget.files ?? [])])
          event.currentTarget.value = ''
        }}
      />
    </div>
  )
}
