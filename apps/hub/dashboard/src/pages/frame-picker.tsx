import { useState } from 'preact/hooks'
import type { Frame } from '../api-types.ts'
import { ErrorNote } from '../components/states.tsx'
import { useResource, useServices } from '../services.ts'
import { PickableFrame, type Picking } from './pickable-frame.tsx'

const SHOWN = 12

/** Stored pictures by words, the newest without any, to make examples of. */
export function FramePicker({ asked, picking }: { asked: string; picking: Picking }) {
  const { api } = useServices()
  const [text, setText] = useState(asked)
  const [question, setQuestion] = useState(asked)
  const found = useResource(`pick ${question}`, async (signal): Promise<readonly Frame[]> => {
    if (question === '') return api.frames({ limit: SHOWN }, signal)
    const search = { subject: { text: question }, filter: {}, limit: SHOWN, diversity: 0.7 }
    return (await api.search(search, signal)).hits
  })
  const look = () => setQuestion(text.trim())
  return (
    <div class="frame-picker">
      <div class="frame-picker-ask">
        <input
          type="text"
          class="input"
          aria-label="Find stored pictures"
          placeholder="Words for the picture; empty: the newest"
          value={text}
          onInput={event => setText(event.currentTarget.value)}
          onKeyDown={event => {
            if (event.key !== 'Enter') return
            // The rule is not to be saved by it.
            event.preventDefault()
            look()
          }}
        />
        <button type="button" class="button" onClick={look}>
          Find
        </button>
      </div>
      {found.error !== undefined && <ErrorNote error={found.error} onRetry={found.reload} />}
      {found.data?.length === 0 && <p class="hint">Nothing is stored yet.</p>}
      <ul class="pictures" aria-busy={found.loading} aria-label="Stored pictures">
        {found.data?.map(frame => (
          <PickableFrame key={frame.id} frame={frame} picking={picking} />
        ))}
      </ul>
    </div>
  )
}
