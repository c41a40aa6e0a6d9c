import { plural } from '../format.ts'
import type { DeviceStanding, RollOut } from '../rule-standing.ts'

/** Devices in the table; those that need a look come first. */
const SHOWN = 200

const WORDS: Readonly<Record<DeviceStanding, { readonly says: string; readonly class: string }>> = {
  applied: { says: 'Applied', class: 'pill pill-good' },
  pending: { says: 'Pending', class: 'pill pill-warn' },
  offline: { says: 'Offline', class: 'pill' },
  refused: { says: 'Rejected', class: 'pill pill-bad' },
  unsent: { says: 'Not sent', class: 'pill pill-bad' },
}

export interface RuleRollOutProps {
  readonly rollOut: RollOut
  /** Whether it is that of the newest rules. */
  readonly current: boolean
  readonly open: boolean
  readonly onToggle: (open: boolean) => void
}

/** Per device: which version it applies, and why not the newest. */
export function RuleRollOut({ rollOut, current, open, onToggle }: RuleRollOutProps) {
  const { devices, inForce } = rollOut
  if (devices.length === 0) return null
  return (
    <details class="roll-out" open={open} onToggle={event => onToggle(event.currentTarget.open)}>
      <summary>
        Who applied it{inForce < devices.length && `: ${plural(devices.length - inForce, 'device')} to go`}
      </summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways on a phone, from the keyboard too. */}
      <section class="roll-out-table card" tabIndex={0} aria-label="Rules by device" aria-busy={!current}>
        <table>
          <thead>
            <tr>
              <th scope="col">Device</th>
              <th scope="col">Group</th>
              <th scope="col">Version</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {devices.slice(0, SHOWN).map(({ site, group, node, standing, version, wanted, reason }) => (
              <tr key={`${site}/${node}`}>
                <th scope="row">
                  {site}/{node}
                </th>
                <td>{group}</td>
                <td class="roll-out-version">
                  {version}
                  {wanted !== null && wanted !== version && <span class="hint"> of {wanted}</span>}
                </td>
                <td>
                  <span class={WORDS[standing].class}>{WORDS[standing].says}</span>
                  {reason !== '' && <span class="hint"> {reason}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {devices.length > SHOWN && <p class="hint">and {devices.length - SHOWN} more</p>}
    </details>
  )
}
