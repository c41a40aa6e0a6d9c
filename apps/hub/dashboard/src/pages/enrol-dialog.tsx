import { useState } from 'preact/hooks'
import { DialogForm } from '../components/dialog-form.tsx'
import { Field } from '../components/field.tsx'
import { Modal } from '../components/modal.tsx'
import { ShownOnce } from '../components/shown-once.tsx'
import { type Enrolment, enrol } from '../fleet-api.ts'
import { absoluteTime } from '../format.ts'
import { useServices } from '../services.ts'
import { useJob } from '../use-job.ts'

/** As the hub takes them. */
const NAME = {
  required: true,
  maxLength: 64,
  pattern: '[A-Za-z0-9][A-Za-z0-9._\\-]*',
  title: 'Letters, digits, dots, dashes and underscores, the first a letter or digit',
}

/** A one-time command by which a device joins; it is shown here and nowhere else. */
export function EnrolDialog({ onClose }: { onClose: () => void }) {
  const { api } = useServices()
  const job = useJob()
  const [site, setSite] = useState('')
  const [node, setNode] = useState('')
  const [made, setMade] = useState<Enrolment>()
  const make = () => job.run(async () => setMade(await enrol(api, { site, node })))
  return (
    <Modal title="Enrol a device" class="dialog" onClose={onClose}>
      {made === undefined ? (
        <DialogForm job={job} action="Make the command" onSubmit={() => void make()} onCancel={onClose}>
          <Field label="Site" hint="Where it stands: “warehouse”." fault={undefined}>
            {control => (
              <input
                {...control}
                type="text"
                {...NAME}
                autofocus
                value={site}
                onInput={event => setSite(event.currentTarget.value)}
              />
            )}
          </Field>
          <Field label="Device" hint="Its name there: “dock-3”." fault={undefined}>
            {control => (
              <input
                {...control}
                type="text"
                {...NAME}
                value={node}
                onInput={event => setNode(event.currentTarget.value)}
              />
            )}
          </Field>
        </DialogForm>
      ) : (
        <ShownOnce text={made.command} onDone={onClose}>
          Run this once on the device. It works until{' '}
          <time dateTime={made.expiresAt}>{absoluteTime(made.expiresAt)}</time> and is not shown again.
        </ShownOnce>
      )}
    </Modal>
  )
}
