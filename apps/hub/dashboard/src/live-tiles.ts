import type { FleetNode, Frame, NodeCamera } from './api-types.ts'
import { duration } from './format.ts'
import { type LiveView, nodeKey } from './live-store.ts'
import { type CameraRef, cameraKey } from './search-query.ts'

/** One camera on the wall. */
export interface TileView extends CameraRef {
  readonly key: string
  readonly frame: Frame | undefined
  /** Of its newest picture by the clock of the hub, milliseconds since the epoch; null: none is known of. */
  readonly lastPictureAt: number | null
  /** Why the camera may not be current. */
  readonly trouble: Trouble | undefined
  /** Frames that the camera gives, as its device last said. */
  readonly framesPerSecond: number | undefined
  /** From a frame to its verdict, 95th percentile. */
  readonly decisionMs: number | undefined
}

export interface Trouble {
  /** gone: the device has no such camera any more, on purpose as far as anybody knows. */
  readonly kind: 'offline' | 'failed' | 'silent' | 'starting' | 'gone'
  readonly text: string
  /** What the device says of it. */
  readonly detail: string | undefined
}

/** Devices report once a minute: twice that without a picture, and a third minute of grace. */
const SILENT_AFTER_MS = 3 * 60_000
/** Frames that a slow camera may miss. */
const MISSED_FRAMES = 3

/** Cameras that devices report, and cameras that frames came from, each once, in a lasting order, those with a picture first. */
export function tilesOf({ frames, nodes }: Pick<LiveView, 'frames' | 'nodes'>, now: number): TileView[] {
  const tiles = new Map<string, TileView>()
  for (const frame of frames.values()) {
    const { site, node, camera } = frame
    const key = cameraKey(frame)
    const lastPictureAt = hubTime(frame, null)
    tiles.set(key, {
      ...{ key, site, node, camera, frame, lastPictureAt },
      trouble: absence(nodes.get(nodeKey(frame)), now - lastPictureAt),
      framesPerSecond: undefined,
      decisionMs: undefined,
    })
  }
  for (const node of nodes.values()) {
    for (const status of node.cameras) {
      const camera = { site: node.site, node: node.node, camera: status.camera }
      const key = cameraKey(camera)
      const frame = frames.get(key)
      const lastPictureAt = hubTime(frame, status.lastFrameAt)
      tiles.set(key, {
        ...{ ...camera, key, frame, lastPictureAt },
        trouble: troubleOf(node, status, lastPictureAt, now),
        framesPerSecond: node.online ? status.framesPerSecond : undefined,
        decisionMs: node.online ? status.decisionP95Ms : undefined,
      })
    }
  }
  return [...tiles.values()].sort(
    (a, b) =>
      Number(a.frame === undefined) - Number(b.frame === undefined) ||
      (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  )
}

/** Whether it wants looking after. */
export function inTrouble({ trouble }: TileView): boolean {
  return trouble !== undefined && trouble.kind !== 'gone'
}

/** Of a camera that has sent frames, and that its device does not name. */
function absence(node: FleetNode | undefined, silentMs: number): Trouble | undefined {
  // Frames that were brought come of no agent; and a new camera sends some before its device speaks of it.
  if (node === undefined || node.agent === null || silentMs <= SILENT_AFTER_MS) return undefined
  if (node.starting !== undefined) return { kind: 'starting', text: 'Starting', detail: node.starting.detail }
  return { kind: 'gone', text: 'No longer there', detail: 'Its device has no camera of this name any more.' }
}

/**
 * The newer of the newest stored frame and of the last one that the device saw. A device whose clock is wrong is wrong
 * in both; the frame tells by how much, unless it was replayed.
 */
function hubTime(frame: Frame, lastFrameAt: string | null): number
function hubTime(frame: Frame | undefined, lastFrameAt: string | null): number | null
function hubTime(frame: Frame | undefined, lastFrameAt: string | null): number | null {
  const seenAt = lastFrameAt === null ? null : Date.parse(lastFrameAt)
  if (frame === undefined) return seenAt
  const capturedAt = Date.parse(frame.capturedAt)
  const behindMs = frame.historical ? 0 : Date.parse(frame.receivedAt) - capturedAt
  return Math.max(capturedAt, seenAt ?? capturedAt) + behindMs
}

function troubleOf(
  node: FleetNode,
  { status, error, framesPerSecond }: NodeCamera,
  lastPictureAt: number | null,
  now: number,
): Trouble | undefined {
  if (!node.online) return { kind: 'offline', text: 'Device offline', detail: undefined }
  const silentMs = lastPictureAt === null ? null : now - lastPictureAt
  const text = silentMs === null || silentMs < 1000 ? 'No picture' : `No picture for ${inMinutes(silentMs)}`
  if (status === 'failed') return { kind: 'failed', text, detail: error }
  if (status === 'starting' || node.starting !== undefined) {
    return { kind: 'starting', text: 'Starting', detail: node.starting?.detail }
  }
  const patienceMs = Math.max(SILENT_AFTER_MS, framesPerSecond ? (MISSED_FRAMES * 1000) / framesPerSecond : 0)
  if (silentMs === null || silentMs <= patienceMs) return undefined
  const detail = 'The device is connected and the camera open, but it gives no pictures.'
  return { kind: 'silent', text, detail }
}

/** Seconds matter within the first minute only. */
function inMinutes(silentMs: number): string {
  return duration(silentMs < 60_000 ? silentMs : silentMs - (silentMs % 60_000))
}
