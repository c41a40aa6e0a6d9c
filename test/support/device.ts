import { fileURLToPath } from 'node:url'
import type { DeviceSpec } from './device-process.ts'
import { Program } from './processes.ts'

const SCRIPT = fileURLToPath(new URL('device-process.ts', import.meta.url))

export interface OutboxCounts {
  readonly records: number
  readonly bytes: number
  readonly dropped: number
  /** Records that the outbox did not take. */
  readonly refused: number
}

/** Starts `device-process.ts`. */
export function startDevice(spec: DeviceSpec, env: Readonly<Record<string, string>> = {}): Program {
  return new Program('--import', ['tsx', SCRIPT, JSON.stringify(spec)], env)
}

/** What the device last said of its outbox. */
export function countsOf(device: Program): OutboxCounts | undefined {
  const line = device.lines.findLast(each => each.startsWith('{'))
  return line === undefined ? undefined : (JSON.parse(line) as OutboxCounts)
}
