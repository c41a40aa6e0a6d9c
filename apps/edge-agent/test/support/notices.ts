import type { ActionNotice } from '@sightline/edge-agent/actions/action.js'
import { noticeOf } from '@sightline/edge-agent/actions/notice.js'
import { incidentStep } from './records.ts'

export function notice(): ActionNotice {
  const device = { site: 'site', node: 'node' }
  return noticeOf({ step: incidentStep(), device, session: '01HSESSION', thumbnail: undefined })
}
