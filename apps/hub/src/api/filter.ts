import type { FrameFilter } from '../store/record-store.ts'

export interface FilterQuery {
  readonly site?: string
  readonly node?: string
  readonly camera?: string
  readonly from?: string
  readonly to?: string
  readonly sites?: readonly string[]
  readonly cameras?: readonly string[]
  readonly rule?: string
  readonly fired?: boolean
  readonly tag?: string
}

/** Times arrive as RFC 3339 (the schema has checked that) and are kept as milliseconds. */
export function parseFilter({ from, to, ...names }: FilterQuery): FrameFilter {
  return {
    ...names,
    ...(from === undefined ? {} : { from: Date.parse(from) }),
    ...(to === undefined ? {} : { to: Date.parse(to) }),
  }
}
