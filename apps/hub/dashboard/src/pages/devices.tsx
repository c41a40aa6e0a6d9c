import { useState } from 'preact/hooks'
import type { FleetNode } from '../api-types.ts'
import { EmptyState, ErrorState, SkeletonCards } from '../components/states.tsx'
import { enrolledDevices } from '../fleet-api.ts'
import { plural } from '../format.ts'
import { Icon } from '../icons.tsx'
import { nodeKey } from '../live-store.ts'
import { useRules } from '../rules-context.ts'
import { useLive, useNow, useResource, useServices } from '../services.ts'
import { DeviceCard } from './device-card.tsx'
import { EnrolDialog } from './enrol-dialog.tsx'

export function DevicesPage() {
  const { api, live } = useServices()
  const { nodes, frames, loaded, error } = useLive()
  const rules = useRules()
  const system = useResource('system', signal => api.system(signal))
  const enrolled = useResource('devices', signal => enrolledDevices(api, signal))
  const [enrolling, setEnrolling] = useState(false)
  const now = useNow()
  const fleet = [...nodes.values()].sort((a, b) => nodeKey(a).localeCompare(nodeKey(b)))
  return (
    <div class="page">
      <header class="page-head">
        <div>
          <h1>Devices</h1>
          <p class="page-sub">{loaded ? summary(fleet) : error === undefined && 'Loading…'}</p>
        </div>
        <button type="button" class="button button-primary" onClick={() => setEnrolling(true)}>
          <Icon name="plus" /> Enrol a device
        </button>
      </header>
      {enrolling && <EnrolDialog onClose={() => setEnrolling(false)} />}
      {!loaded && error !== undefined && <ErrorState error={error} onRetry={() => live.retryNow()} />}
      {!loaded && error === undefined && <SkeletonCards cards={2} class="devices" />}
      {loaded && fleet.length === 0 && (
        <EmptyState icon="chip" title="No device has reported yet">
          <p>
            Enrol one, and run the command that you get on it. It appears here as soon as it connects, even
            before its first frame.
          </p>
        </EmptyState>
      )}
      <ul class="devices">
        {fleet.map(node => (
          <li key={nodeKey(node)}>
            <DeviceCard
              node={node}
              now={now}
              frames={frames}
              hubFingerprint={system.data?.model.fingerprint}
              hubRulesVersion={rules.data?.version}
              enrolled={enrolled.data?.find(
                ({ site, node: name }) => site === node.site && name === node.node,
              )}
              onRevoked={enrolled.reload}
            />
          </li>
        ))}
      </ul>
    </div>
  )
}

function summary(fleet: readonly FleetNode[]): string {
  const online = fleet.filter(node => node.online).length
  const cameras = fleet.flatMap(node => node.cameras)
  const failed = cameras.filter(({ status }) => status === 'failed').length
  return [
    `${online} of ${plural(fleet.length, 'device')} online`,
    `${plural(cameras.length, 'camera')}${failed > 0 ? `, ${failed} failed` : ''}`,
  ].join(' · ')
}
