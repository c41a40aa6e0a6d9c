import type { INCIDENT_PHASES, IncidentEvent } from '@sightline/core'

export type IncidentPhase = (typeof INCIDENT_PHASES)[number]

/** What an action is told of an incident: one JSON document, laid out as Standard Webhooks recommend. */
export interface ActionNotice {
  readonly type: `incident.${IncidentPhase}`
  /** Frame time of the step, ISO 8601. */
  readonly timestamp: string
  readonly data: {
    readonly site: string
    readonly node: string
    readonly camera: string
    readonly rule: {
      readonly id: string
      readonly name: string
      readonly severity: IncidentEvent['severity']
      /** Version of the rules that the incident began under. */
      readonly version: number
    }
    readonly incident: {
      readonly id: string
      /** ISO 8601. */
      readonly startedAt: string
      readonly score: number
      readonly peakScore: number
      readonly frames: number
      /** As the hub names it. */
      readonly bestFrameId: string
    }
    /** Of the best frame: JPEG, base64. */
    readonly thumbnail?: string
  }
}

export interface Delivery {
  /** Stays the same when it is tried again: by it a target tells repeats. */
  readonly id: string
  readonly notice: ActionNotice
}

/** Port: something that a device does when an incident begins, changes or ends. */
export interface Action {
  readonly name: string
  /**
   * Does it once, in bounded time. Resolves when the target has taken it. May be called again with the same id, also after
   * a time that had an effect: nobody knows that when an answer is lost.
   * @throws ACTION_FAILED; with `gone` in its details when the target wants nothing more, ever
   */
  deliver(delivery: Delivery, signal: AbortSignal): Promise<void>
}
