import { useEffect, useState } from 'preact/hooks'
import { type ApiError, asApiError } from '../api-error.ts'
import type { FleetNode } from '../api-types.ts'
import { COMMAND_NAMES } from '../command-names.ts'
import { isOver } from '../command-result.ts'
import { Field } from '../components/field.tsx'
import { Modal } from '../components/modal.tsx'
import { ErrorNote } from '../components/states.tsx'
import { type DeviceCommand, deviceCommand, type Settings, sendCommand } from '../fleet-api.ts'
import { useServices } from '../services.ts'
import { CommandAnswer } from './command-answer.tsx'

const COMMANDS = [
  { command: 'snapshot', needs: 'camera' },
  { command: 'doctor', needs: undefined },
  { command: 'collect-logs', needs: undefined },
  { command: 'restart-camera', needs: 'camera' },
  { command: 'update-model', needs: 'model' },
  { command: 'rotate-credential', needs: undefined },
] as const

const ASK_EVERY_MS = 1000

export function DeviceCommandsDialog({ node, onClose }: { node: FleetNode; onClose: () => void }) {
  const { api } = useServices()
  const [chosen, setChosen] = useState<string>('snapshot')
  const [camera, setCamera] = useState(node.cameras[0]?.camera ?? '')
  const [model, setModel] = useState('')
  const [sent, setSent] = useState<DeviceCommand>()
  const [failed, setFailed] = useState<ApiError>()
  const needs = COMMANDS.find(({ command }) => command === chosen)?.needs
  const [busy, setBusy] = useState(false)
  const waiting = busy || (sent !== undefined && !isOver(sent))
  const ready = !waiting && (needs !== 'camera' || camera !== '')
  useEffect(() => {
    if (sent === undefined || isOver(sent)) return
    let left = false
    const timer = setTimeout(() => {
      deviceCommand(api, node, sent.id).then(
        next => {
          if (left) return
          setFailed(undefined)
          setSent(next)
        },
        error => {
          if (left) return
          setFailed(asApiError(error))
          setSent({ ...sent })
        },
      )
    }, ASK_EVERY_MS)
    return () => {
      left = true
      clearTimeout(timer)
    }
  }, [sent])
  const send = async () => {
    // Once: a device does what it is told twice, twice.
    if (!ready) return
    setBusy(true)
    setFailed(undefined)
    try {
      setSent(await sendCommand(api, node, { command: chosen, args: argsOf(needs, { camera, model }) }))
    } catch (error) {
      setFailed(asApiError(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <Modal title={`Commands for ${node.node}`} class="dialog" onClose={onClose}>
      <form
        onSubmit={event => {
          event.preventDefault()
          void send()
        }}
      >
        <div class="fields">
          <Field label="Command" fault={undefined}>
            {control => (
              <select {...control} value={chosen} onChange={event => setChosen(event.currentTarget.value)}>
                {COMMANDS.map(({ command }) => (
                  <option key={command} value={command}>
                    {COMMAND_NAMES[command]}
                  </option>
                ))}
              </select>
            )}
          </Field>
          {needs === 'camera' && (
            <Field label="Camera" fault={undefined}>
              {control => (
                <select {...control} value={camera} onChange={event => setCamera(event.currentTarget.value)}>
                  {node.cameras.map(({ camera: name }) => (
                    <option key={name}>{name}</option>
                  ))}
                </select>
              )}
            </Field>
          )}
          {needs === 'model' && (
            <Field label="Model" hint="A name in the hub's store; empty: the device's own." fault={undefined}>
              {control => (
                <input
                  {...control}
                  type="text"
                  value={model}
                  onInput={event => setModel(event.currentTarget.value)}
                />
              )}
            </Field>
          )}
        </div>
        {!node.online && (
          <p class="hint">The device is offline. It does this if it comes back within five minutes.</p>
        )}
        {failed !== undefined && <ErrorNote error={failed} />}
        <footer class="modal-foot">
          <button type="submit" class="button button-primary" aria-disabled={!ready}>
            Send
          </button>
        </footer>
      </form>
      {sent !== undefined && <CommandAnswer command={sent} />}
    </Modal>
  )
}

function argsOf(needs: string | undefined, { camera, model }: { camera: string; model: string }): Settings {
  if (needs === 'camera') return { camera }
  return needs === 'model' ? { model: model.trim() === '' ? null : model.trim() } : {}
}
