import { createHash } from 'node:crypto'
import { access } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import type { Candidate } from './benchmark.ts'
import { type ModelManifest, modelFingerprint } from './model-manifest.ts'
import { engineFile } from './ort-session.ts'
import { deviceKey, readCache, runtimeVersion, writeCache } from './providers.ts'
import { imageFiles } from './variants.ts'

export interface BuildProgress {
  readonly elapsedMs: number
  /** 0 to 1: the time so far beside the time that the last build took. Absent when none is known. */
  readonly progress?: number
}

const TELL_EVERY_MS = 5000
/** An estimate never says that something is done. */
const MOST = 0.99

/** Engines fit one model file, one device and one version of everything between. */
export async function engineDirOf(
  cacheDir: string | undefined,
  manifest: ModelManifest,
  candidate: Candidate,
): Promise<string | undefined> {
  if (cacheDir === undefined || candidate.provider !== 'tensorrt') return undefined
  const file = imageFiles(manifest).find(({ variant }) => variant === candidate.variant)
  const parts = [modelFingerprint(manifest), file?.file.sha256, runtimeVersion(), await deviceKey()]
  const key = createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 16)
  return join(cacheDir, 'tensorrt', key)
}

export interface EngineBuildOptions {
  readonly cacheDir: string | undefined
  /** Of `engineDirOf`. */
  readonly engineDir: string | undefined
  readonly dir: string
  readonly manifest: ModelManifest
  readonly candidate: Candidate
  readonly clock: Clock
  readonly onProgress: (progress: BuildProgress) => void
}

/** Whether an engine has to be built before the candidate can run. */
export async function needsEngine({
  candidate,
  dir,
  engineDir,
}: Pick<EngineBuildOptions, 'candidate' | 'dir' | 'engineDir'>): Promise<boolean> {
  if (candidate.provider !== 'tensorrt') return false
  if (engineDir === undefined) return true
  const path = engineFile(engineDir, join(dir, candidate.file))
  return access(path).then(
    () => false,
    () => true,
  )
}

/**
 * Tells how a build is getting on while `run` does it, and keeps the time that it took: ONNX Runtime itself tells nothing
 * of a build that takes minutes.
 * @param run resolves with the milliseconds until the engine was ready; undefined when it did not get that far
 */
export async function watchBuild<T>(
  options: EngineBuildOptions,
  run: () => Promise<T>,
  readyMsOf: (result: T) => number | undefined,
): Promise<T> {
  const { cacheDir, manifest, candidate, clock, onProgress } = options
  const path = cacheDir && join(cacheDir, 'tensorrt', 'build-times.json')
  const times = path ? await readTimes(path) : {}
  // By name, not by fingerprint: the last build of an older version is the best guess that there is.
  const key = `${manifest.name} ${candidate.variant ?? candidate.precision}`
  const done = new AbortController()
  void tell({ clock, onProgress, signal: done.signal, expectedMs: times[key] })
  try {
    const result = await run()
    const readyMs = readyMsOf(result)
    if (path && readyMs !== undefined) await writeCache(path, { ...times, [key]: Math.round(readyMs) })
    return result
  } finally {
    done.abort()
  }
}

async function tell({
  clock,
  onProgress,
  signal,
  expectedMs,
}: Pick<EngineBuildOptions, 'clock' | 'onProgress'> & {
  readonly signal: AbortSignal
  readonly expectedMs: number | undefined
}): Promise<void> {
  const startedMs = clock.monotonic()
  while (!signal.aborted) {
    const elapsedMs = clock.monotonic() - startedMs
    const progress = expectedMs === undefined ? {} : { progress: Math.min(MOST, elapsedMs / expectedMs) }
    onProgress({ elapsedMs, ...progress })
    await clock.sleep(TELL_EVERY_MS, signal).catch(() => {})
  }
}

async function readTimes(path: string): Promise<Record<string, number>> {
  const value = await readCache(path)
  if (typeof value !== 'object' || value === null) return {}
  return Object.fromEntries(Object.entries(value).filter(([, ms]) => typeof ms === 'number' && ms > 0))
}
