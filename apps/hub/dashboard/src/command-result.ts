import type { DeviceCommand } from './fleet-api.ts'
import { absoluteTime } from './format.ts'

export interface DoctorFinding {
  readonly mark: string
  readonly name: string
  readonly detail: string
}

export type CommandResult =
  | { readonly kind: 'picture'; readonly url: string; readonly capturedAt: string }
  | { readonly kind: 'findings'; readonly findings: readonly DoctorFinding[] }
  | { readonly kind: 'text'; readonly text: string }

/** How the result of a command is shown; undefined while there is none. A device is not trusted to keep the shape. */
export function resultOf({ command, replies }: DeviceCommand): CommandResult | undefined {
  const result = replies.find(reply => reply.status === 'done')?.result
  if (result === undefined) return undefined
  const { jpeg, capturedAt, findings, lines } = (result ?? {}) as Record<string, unknown>
  if (command === 'snapshot' && typeof jpeg === 'string') {
    return {
      kind: 'picture',
      url: `data:image/jpeg;base64,${jpeg}`,
      capturedAt: typeof capturedAt === 'number' ? timeText(capturedAt) : '',
    }
  }
  if (command === 'doctor' && Array.isArray(findings)) {
    return { kind: 'findings', findings: findings.map(findingOf) }
  }
  if (command === 'collect-logs' && Array.isArray(lines)) {
    return { kind: 'text', text: lines.map(String).join('\n') }
  }
  return { kind: 'text', text: JSON.stringify(result, null, 2) }
}

/** What a device says is no time as long as it is not known to be one. */
function timeText(millis: number): string {
  const at = new Date(millis)
  return Number.isNaN(at.getTime()) ? '' : absoluteTime(at.toISOString())
}

function findingOf(value: unknown): DoctorFinding {
  const { mark, name, text, advice } = (value ?? {}) as Record<string, unknown>
  const detail = [text, advice].filter(part => typeof part === 'string').join(' ')
  return { mark: String(mark), name: String(name), detail }
}

export function isOver({ status }: DeviceCommand): boolean {
  return status === 'done' || status === 'failed' || status === 'expired'
}
