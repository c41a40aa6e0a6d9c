import { resultOf } from '../command-result.ts'
import type { DeviceCommand } from '../fleet-api.ts'

const STATUS: Readonly<Record<DeviceCommand['status'], string>> = {
  sent: 'Sent; the device has not answered yet.',
  accepted: 'The device is at it.',
  progress: 'The device is at it.',
  done: 'Done.',
  failed: 'Failed.',
  expired: 'The device was away for too long; it will not do it.',
}

/** What became of a command, and what the device answered. */
export function CommandAnswer({ command }: { command: DeviceCommand }) {
  const last = command.replies.at(-1)
  const result = resultOf(command)
  return (
    <section>
      <p role="status" class={command.status === 'failed' ? 'fault' : undefined}>
        {STATUS[command.status]} {last?.code} {last?.message}
      </p>
      {result?.kind === 'picture' && (
        <figure>
          <img class="snapshot" src={result.url} alt={`Taken ${result.capturedAt}`} />
          <figcaption class="hint">{result.capturedAt}</figcaption>
        </figure>
      )}
      {result?.kind === 'findings' && (
        <div class="table-scroll">
          <table class="plain-table findings">
            <tbody>
              {result.findings.map(({ mark, name, detail }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  <td>{mark}</td>
                  <td>{detail}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {result?.kind === 'text' && (
        <textarea class="code-text" readOnly rows={14} aria-label="Answer" value={result.text} />
      )}
    </section>
  )
}
