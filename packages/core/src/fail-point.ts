import { fault } from './errors.ts'

/** Called at the points where a crash is most awkward. */
export type FailPoint = (name: string) => void

export const noFailPoint: FailPoint = () => {}

/** Environment variable that the commands read it from. */
export const FAIL_POINT_VARIABLE = 'SIGHTLINE_FAIL_POINT'

/**
 * For tests of crashes: `NAME:COUNT` ends this process, as `kill -9` does, when it comes to the point for the COUNTth
 * time. Without it the points do nothing.
 * @throws CONFIG_INVALID
 */
export function failPointFrom(spec: string | undefined): FailPoint {
  if (spec === undefined || spec === '') return noFailPoint
  const [, point, digits] = /^([^:]+):([1-9]\d{0,8})$/.exec(spec) ?? []
  if (point === undefined) throw fault('CONFIG_INVALID', `${FAIL_POINT_VARIABLE}: ${spec} is not NAME:COUNT`)
  let left = Number(digits)
  return name => {
    if (name === point && --left === 0) process.kill(process.pid, 'SIGKILL')
  }
}
