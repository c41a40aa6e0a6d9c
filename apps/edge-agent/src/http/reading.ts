import type { CameraStatus } from '@sightline/core'

/** How an agent is at this moment, for whoever watches the device rather than the hub. */
export interface Reading {
  /** The model embeds pictures; before that, frames wait at their cameras. */
  readonly modelReady: boolean
  /** What the model is busy with, or why it failed. */
  readonly starting: string | undefined
  readonly online: boolean
  readonly provider: string
  readonly fingerprint: string
  readonly rulesVersion: number
  readonly outbox: { readonly records: number; readonly bytes: number; readonly dropped: number }
  readonly outboxMaxBytes: number
  readonly cameras: readonly CameraStatus[]
}
