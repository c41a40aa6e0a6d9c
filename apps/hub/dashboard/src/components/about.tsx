import { useState } from 'preact/hooks'
import type { SystemInfo } from '../api-types.ts'
import { count, plural } from '../format.ts'
import type { Page } from '../router.ts'
import { useResource, useServices } from '../services.ts'
import { Fact } from './fact.tsx'
import { Modal } from './modal.tsx'

/** One quiet line with what runs here, and the whole of it behind a button. */
export function SystemFooter({ page }: { page: Page }) {
  const { api } = useServices()
  // Asked anew on each page, and not by the clock: a session that nobody uses is to end.
  const { data } = useResource(`system ${page}`, signal => api.system(signal))
  const [open, setOpen] = useState(false)
  if (data === undefined) return <footer class="footer" />
  return (
    <footer class="footer">
      <span>Sightline {data.version}</span>
      <span>{data.model.title}</span>
      {data.counts.frames !== undefined && <span>{plural(data.counts.frames, 'frame')} stored</span>}
      <button type="button" class="text-button" onClick={() => setOpen(true)}>
        About this system
      </button>
      {open && <About system={data} onClose={() => setOpen(false)} />}
    </footer>
  )
}

function About({ system, onClose }: { system: SystemInfo; onClose: () => void }) {
  const { model, counts, index, ingest } = system
  return (
    <Modal title={`Sightline ${system.version}`} class="dialog" onClose={onClose}>
      <section>
        <h3>Model</h3>
        <dl class="facts">
          <Fact name="Name">{model.title}</Fact>
          <Fact name="Fingerprint">
            <code>{model.fingerprint}</code>
          </Fact>
          <Fact name="Embedding">{count(model.dim)} numbers</Fact>
          <Fact name="Licence">{model.license}</Fact>
        </dl>
        <p class="hint">{model.notice}</p>
        {model.cannot.length > 0 && (
          <>
            <h3>What this model gets wrong</h3>
            <ul class="tags">
              {model.cannot.map(concept => (
                <li key={concept} class="tag">
                  {concept}
                </li>
              ))}
            </ul>
          </>
        )}
      </section>
      <Figures title="Stored" figures={counts} />
      <Figures title="Index" figures={index} />
      <Figures title="Ingest since start" figures={ingest} />
    </Modal>
  )
}

function Figures({ title, figures }: { title: string; figures: Readonly<Record<string, number>> }) {
  // Totals are kept from whoever sees only a part.
  if (Object.keys(figures).length === 0) return null
  return (
    <section>
      <h3>{title}</h3>
      <dl class="figures">
        {Object.entries(figures).map(([name, value]) => (
          <div key={name}>
            <dt>{words(name)}</dt>
            <dd>{count(value)}</dd>
          </div>
        ))}
      </dl>
    </section>
  )
}

/** `bytesOnDisk` -> `bytes on disk`. */
function words(name: string): string {
  return name.replace(/[A-Z]/g, letter => ` ${letter.toLowerCase()}`)
}
