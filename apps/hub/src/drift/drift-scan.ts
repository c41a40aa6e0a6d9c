import { dot } from '@sightline/core/vector.js'
import type { FrameReader } from '../store/frame-reader.ts'
import {
  type Distribution,
  distributionOf,
  meanCosine,
  nearestDistances,
  stabilityIndex,
} from './drift-stats.ts'

/** Frames kept of each camera and stretch of time: distances are between all of them. */
const SAMPLE = 200
/** By chance alone the index of two samples is 9 (1/n + 1/m): 0.18 with a hundred each, more with fewer. */
const MIN_SAMPLE = 100
const MAX_CAMERAS = 200
/** Newest frames that are looked at. */
const MAX_ROWS = 500_000
const DAY_MS = 86_400_000
/** By custom, see `stabilityIndex`. */
const PSI_LARGE = 0.25
/** A camera's background moves by less than this through weather and daylight; a camera that was turned moves by more. */
const COSINE_MODERATE = 0.95
const COSINE_LARGE = 0.85

export interface DriftPlan {
  readonly fingerprint: string
  /** Milliseconds since the epoch: the last day ends here, the week before it ends a day earlier. */
  readonly at: number
  /** Newest frame. */
  readonly upTo: number
}

export interface CameraDrift {
  readonly site: string
  readonly node: string
  readonly camera: string
  /** Frames compared: of the last day, and of the week before. */
  readonly recent: number
  readonly reference: number
  /** Between the mean vector of the last day and that of the week before. */
  readonly meanCosine: number
  /** Of unit length, or the model or the transport does something wrong. */
  readonly norms: { readonly recent: Distribution; readonly reference: Distribution }
  /** 1 - cosine to the nearest frame of the week before. */
  readonly nearest: { readonly recent: Distribution; readonly reference: Distribution; readonly psi: number }
  readonly level: 'none' | 'moderate' | 'large'
}

export interface DriftFindings {
  readonly scanned: number
  /** Most changed first. */
  readonly cameras: readonly CameraDrift[]
  /** Cameras with too few frames in one of the stretches, or beyond the first 200. */
  readonly skipped: number
}

interface Window {
  seen: number
  readonly sample: Float32Array[]
}

/** Reads the newest frames once and keeps an even sample of each camera and stretch. */
export function scanDrift(reader: FrameReader, { fingerprint, at, upTo }: DriftPlan): DriftFindings {
  const cameras = new Map<string, { recent: Window; reference: Window }>()
  let [scanned, random] = [0, 1]
  const after = Math.max(0, upTo - MAX_ROWS)
  reader.visit(after, upTo, (_ord, frame, vector) => {
    scanned++
    const age = at - frame.capturedAt
    if (frame.fingerprint !== fingerprint || age < 0 || age >= 8 * DAY_MS) return
    const key = `${frame.site}~${frame.node}~${frame.camera}`
    const windows = cameras.get(key) ?? { recent: newWindow(), reference: newWindow() }
    if (!cameras.has(key) && cameras.size < MAX_CAMERAS) cameras.set(key, windows)
    const window = age < DAY_MS ? windows.recent : windows.reference
    // Algorithm R (Vitter 1985), with a generator of its own so that a report can be repeated (Lehmer, MINSTD).
    random = (random * 48_271) % 2_147_483_647
    const place = window.seen++ < SAMPLE ? window.sample.length : random % window.seen
    if (place < SAMPLE) window.sample[place] = copyOf(vector())
  })
  const enough = [...cameras].filter(
    ([, { recent, reference }]) => recent.seen >= MIN_SAMPLE && reference.seen >= MIN_SAMPLE,
  )
  const drifts = enough.map(([key, { recent, reference }]) => driftOf(key, recent.sample, reference.sample))
  return {
    scanned,
    cameras: drifts.sort((a, b) => a.meanCosine - b.meanCosine),
    skipped: cameras.size - enough.length,
  }
}

/** LMDB reads into a larger buffer whose `length` alone says where the value ends. */
function copyOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length))
}

function newWindow(): Window {
  return { seen: 0, sample: [] }
}

function driftOf(
  key: string,
  recent: readonly Float32Array[],
  reference: readonly Float32Array[],
): CameraDrift {
  const [site, node, camera] = key.split('~') as [string, string, string]
  const cosine = meanCosine(recent, reference)
  const norms = {
    recent: distributionOf(recent.map(normOf)),
    reference: distributionOf(reference.map(normOf)),
  }
  const nearest = compared(nearestDistances(recent, reference), nearestDistances(reference, reference))
  const level =
    cosine < COSINE_LARGE
      ? 'large'
      : cosine < COSINE_MODERATE || nearest.psi >= PSI_LARGE
        ? 'moderate'
        : 'none'
  return {
    ...{ site, node, camera, recent: recent.length, reference: reference.length },
    ...{ meanCosine: cosine, norms, nearest, level },
  }
}

function compared(recent: readonly number[], reference: readonly number[]) {
  return {
    recent: distributionOf(recent),
    reference: distributionOf(reference),
    psi: stabilityIndex(reference, recent),
  }
}

function normOf(vector: Float32Array): number {
  return Math.sqrt(dot(vector, vector))
}
