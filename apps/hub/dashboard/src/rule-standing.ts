import { percent, plural } from './format.ts'
import type { Learnt, RuleChange, RuleTarget } from './rules-api.ts'

/** Who applies the rules that were sent to it, and why the others do not. */
export function standing(targets: readonly RuleTarget[]): {
  readonly inForce: number
  readonly devices: number
  readonly remarks: readonly string[]
} {
  const devices = targets.flatMap(({ site, version, devices: each }) =>
    each.map(device => ({ ...device, site, current: device.rulesVersion === version })),
  )
  const refused = devices.flatMap(({ site, node, rulesVersion, rulesError, online, current }) => {
    if (current && rulesError === null) return []
    const why = rulesError ?? (online ? 'not taken over yet' : 'offline')
    return [`${site}/${node} is on version ${rulesVersion}: ${why}`]
  })
  const unsent = targets.flatMap(({ site, warning }) =>
    warning === null ? [] : [`Site ${site} gets no new rules: ${warning.message}. ${warning.remedy}`],
  )
  return {
    inForce: devices.filter(({ current, rulesError }) => current && rulesError === null).length,
    devices: devices.length,
    remarks: [...unsent, ...refused],
  }
}

export function learntText({ labels, positives, calibration, head, eceBefore, eceAfter }: Learnt): string {
  const from = `${plural(labels, 'label')}, ${positives} of them positive`
  const what = [
    ...(calibration === null ? [] : [`calibrated (${calibration})`]),
    ...(head ? ['few-shot head in use'] : []),
  ]
  const gain =
    eceBefore === null || eceAfter === null
      ? ''
      : `; its scores are off by ${percent(eceAfter)} instead of ${percent(eceBefore)}`
  return what.length === 0 ? `${from}; not enough to learn from` : `${from}; ${what.join(', ')}${gain}`
}

export function changeText({ added, changed, removed, restored }: RuleChange): string {
  const parts = [
    restored === null ? '' : `version ${restored} restored`,
    added.length === 0 ? '' : `added ${added.join(', ')}`,
    changed.length === 0 ? '' : `changed ${changed.join(', ')}`,
    removed.length === 0 ? '' : `removed ${removed.join(', ')}`,
  ].filter(part => part !== '')
  return parts.length === 0 ? 'nothing changed' : parts.join('; ')
}
