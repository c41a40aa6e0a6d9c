import { useEffect, useRef, useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { RulesDocument } from '../api-types.ts'
import { Modal } from '../components/modal.tsx'
import { plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { checkRules, type RulesCheck } from '../rules-api.ts'
import { diffRules, isNoChange, putOnTop } from '../rules-diff.ts'
import { lineOf, lineRange } from '../rules-text.ts'
import { useResource, useServices } from '../services.ts'
import { RuleChanges } from './rule-changes.tsx'

/** The hub takes no more either. */
const MAX_FILE_BYTES = 8 * 2 ** 20
/** A pause in typing, after which the text is checked. */
const PAUSE_MS = 400
const SHOWN_FAULTS = 20

export interface RuleImportDialogProps {
  readonly rules: RulesDocument
  /** What the hub answered. */
  readonly onImported: (rules: RulesDocument) => void
  /** The rules have changed meanwhile. */
  readonly onStale: () => void
  readonly onClose: () => void
}

/** Rules from a file: checked, compared with those in force, and only then applied. */
export function RuleImportDialog({ rules, onImported, onStale, onClose }: RuleImportDialogProps) {
  const { api } = useServices()
  const [text, setText] = useState('')
  const [settled, setSettled] = useState('')
  const [replaceAll, setReplaceAll] = useState(false)
  const [trouble, setTrouble] = useState('')
  const [failed, setFailed] = useState<ApiError>()
  const [busy, setBusy] = useState(false)
  const box = useRef<HTMLTextAreaElement>(null)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS)
    return () => clearTimeout(timer)
  }, [text])
  const check = useResource(settled.trim() === '' ? undefined : settled, signal =>
    checkRules(api, settled, signal),
  )
  const current = text === settled && text.trim() !== '' && !check.loading && check.error === undefined
  const given = current && check.data?.faults.length === 0 ? check.data.rules : undefined
  const next = given === undefined || replaceAll ? given : putOnTop(rules.rules, given)
  const diff = next === undefined ? undefined : diffRules(rules.rules, next)

  const take = async (file: File | undefined) => {
    if (file === undefined) return
    setTrouble(file.size > MAX_FILE_BYTES ? `${file.name} is larger than 8 MiB.` : '')
    if (file.size > MAX_FILE_BYTES) return
    const read = await file.text()
    setText(read)
    setSettled(read)
  }
  const apply = async () => {
    if (next === undefined) return
    setBusy(true)
    setFailed(undefined)
    try {
      onImported(await api.putRules(next, rules.version))
    } catch (error) {
      const failure = asApiError(error)
      setFailed(failure)
      if (failure.status === 409) onStale()
    } finally {
      setBusy(false)
    }
  }
  const goTo = (line: number) => {
    const [start, end] = lineRange(text, line)
    box.current?.focus()
    box.current?.setSelectionRange(start, end)
  }

  return (
    <Modal title="Import rules" class="dialog" holds onClose={onClose}>
      <div class="import-from">
        <label class="field">
          <span class="field-name">YAML or JSON, as it is exported</span>
          <textarea
            ref={box}
            class="code"
            rows={10}
            spellcheck={false}
            placeholder={
              'rules:\n  - id: somebody-at-the-gate\n    name: Somebody at the gate\n    positives: [a person at a gate]'
            }
            value={text}
            onInput={event => setText(event.currentTarget.value)}
            onDrop={event => {
              const file = event.dataTransfer?.files[0]
              if (file === undefined) return
              event.preventDefault()
              void take(file)
            }}
          />
        </label>
        <label class="button button-small import-file">
          Choose a file
          <input
            class="visually-hidden"
            type="file"
            accept=".yaml,.yml,.json"
            onChange={event => {
              void take(event.currentTarget.files?.[0])
              event.currentTarget.value = ''
            }}
          />
        </label>
      </div>
      {trouble !== '' && <Refusal message={trouble} />}
      {check.error !== undefined && (
        <Refusal
          code={check.error.code}
          message={check.error.message}
          remedy={check.error.remedy}
          line={lineOf(check.error.message)}
          onLine={goTo}
        />
      )}
      {current && check.data !== undefined && check.data.faults.length > 0 && (
        <Faults faults={check.data.faults} onLine={goTo} />
      )}
      {current && diff !== undefined && (
        <section aria-label="What the import changes">
          <fieldset class="import-mode">
            <legend>The other rules</legend>
            <label>
              <input type="radio" name="mode" checked={!replaceAll} onChange={() => setReplaceAll(false)} />{' '}
              stay
            </label>
            <label>
              <input type="radio" name="mode" checked={replaceAll} onChange={() => setReplaceAll(true)} /> are
              removed
            </label>
          </fieldset>
          <RuleChanges diff={diff} />
          {check.data?.warnings.map(({ rule, message }) => (
            <p key={`${rule} ${message}`} class="note note-warn">
              <Icon name="alert" />
              <span>
                <strong>{rule}</strong>: {message}
              </span>
            </p>
          ))}
        </section>
      )}
      {failed !== undefined &&
        (failed.status === 409 ? (
          <p class="note note-warn" role="alert">
            <Icon name="alert" />
            <span>
              Somebody else changed the rules in the meantime. The summary is now against version{' '}
              {rules.version}: look again, and apply.
            </span>
          </p>
        ) : (
          <Refusal code={failed.code} message={failed.message} remedy={failed.remedy} />
        ))}
      <footer class="modal-foot">
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class="button button-primary"
          disabled={busy || diff === undefined || isNoChange(diff)}
          onClick={() => void apply()}
        >
          {busy ? 'Applying…' : 'Apply and publish'}
        </button>
      </footer>
    </Modal>
  )
}

interface RefusalProps {
  readonly code?: string
  readonly message: string
  readonly remedy?: string
  readonly line?: number | undefined
  readonly onLine?: (line: number) => void
}

function Refusal({ code, message, remedy = '', line, onLine }: RefusalProps) {
  return (
    <div class="note note-error" role="alert">
      <Icon name="alert" />
      <div>
        <p class="lines">
          <strong>{message}</strong> {remedy}
        </p>
        {code !== undefined && <p class="state-code">{code}</p>}
        {line !== undefined && onLine !== undefined && (
          <button type="button" class="text-button" onClick={() => onLine(line)}>
            Go to line {line}
          </button>
        )}
      </div>
    </div>
  )
}

function Faults({ faults, onLine }: { faults: RulesCheck['faults']; onLine: (line: number) => void }) {
  return (
    <div class="note note-error" role="alert">
      <Icon name="alert" />
      <div>
        <p>
          <strong>{plural(faults.length, 'fault')}; nothing is applied.</strong>{' '}
          <span class="state-code">RULES_INVALID</span>
        </p>
        <ul class="import-faults">
          {faults.slice(0, SHOWN_FAULTS).map(({ path, message, line }) => (
            <li key={`${path} ${message}`}>
              {line !== undefined && (
                <button type="button" class="text-button" onClick={() => onLine(line)}>
                  Line {line}
                </button>
              )}{' '}
              <code>{path}</code>: {message}
            </li>
          ))}
        </ul>
        {faults.length > SHOWN_FAULTS && <p class="hint">and {faults.length - SHOWN_FAULTS} more</p>}
      </div>
    </div>
  )
}
