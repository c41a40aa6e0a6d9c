import { link, mkdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type ModelManifest, modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { type Clock, exponentialBackoff, systemClock } from '@sightline/core/clock.js'
import { type RegistryEntry, type SourceFile, UNPINNED } from '../registry/schema.ts'
import { storeFault } from '../store/atomic-file.ts'
import { lockModel } from '../store/busy-lock.ts'
import { describeModel, type FileFacts, weightFilesOf } from '../store/describe.ts'
import { hashFile } from '../store/hash-file.ts'
import { installModel, intact, recoverModel } from '../store/install.ts'
import { filesOfModel, installedModel } from '../store/model-store.ts'
import type { StoreLayout } from '../store/paths.ts'
import { writePins } from '../store/pins.ts'
import { isOneFile, splitTowers } from '../store/split-towers.ts'
import { type Download, type DownloadPolicy, downloadFile } from './download.ts'
import { RESERVE_BYTES, requireSpace } from './free-space.ts'
import type { FetchLike } from './http.ts'
import { type PullProgress, silentProgress } from './progress.ts'
import { type PlanRequest, type PullPlan, planPull } from './resolve.ts'

export interface PullRequest extends PlanRequest {
  readonly progress?: PullProgress
  readonly clock?: Clock
  /** Left free on the disk; default 64 MiB. */
  readonly reserveBytes?: number
  /** Silence after which a connection counts as broken; default 30 s. */
  readonly idleMs?: number
  /** In place of the built-in one. */
  readonly fetch?: FetchLike
}

export interface PullResult {
  readonly dir: string
  readonly manifest: ModelManifest
  readonly fingerprint: string
  /** False when the model was there already, whole and right. */
  readonly changed: boolean
  /** Files whose hash nobody knew before: trusted, and recorded. */
  readonly trusted: readonly string[]
}

const MAX_FAILURES = 6

/**
 * Fetches a model into the store: `<store>/<name>` appears whole, after every file was verified, or not at all. What
 * was fetched before a failure stays and is taken up by the next pull.
 * @throws MODEL_UNKNOWN, MODEL_PULL_BUSY, MODEL_PULL_FAILED, MODEL_HASH_MISMATCH, MODEL_SOURCE_REFUSED, MODEL_INVALID,
 *   DISK_FULL, MODEL_STORE_FAILED
 */
export async function pullModel(request: PullRequest): Promise<PullResult> {
  const { name, layout, progress = silentProgress, clock = systemClock } = request
  const release = await lockModel(layout.busyFile(name))
  try {
    await recoverModel(layout, name)
    const policy: DownloadPolicy = {
      clock,
      backoff: exponentialBackoff(1_000, 30_000),
      maxFailures: MAX_FAILURES,
      reserveBytes: request.reserveBytes ?? RESERVE_BYTES,
    }
    const plan = await planPull(request, {
      http: { idleMs: request.idleMs ?? 30_000, fetch: request.fetch },
      policy,
      progress,
    })
    const present = await alreadyThere(layout, name, plan)
    if (present) return { ...present, changed: false, trusted: [] }
    const fetched = await fetchFiles(plan, request, policy, progress)
    const { manifest, facts } = plan.manifest
      ? { manifest: plan.manifest, facts: fetched }
      : await describe(plan.entry!, layout.stagingDir(name), fetched)
    await writePins(layout, name, {
      schema: 1,
      source: plan.sourceId,
      revision: plan.source.revision ?? plan.pins?.revision ?? null,
      pinnedAt: plan.pins?.pinnedAt ?? new Date(clock.now()).toISOString(),
      files: Object.fromEntries([...fetched, ...facts]),
    })
    const changed = await installModel(layout, name, manifest, facts)
    const sure = new Set(plan.files.filter(({ sha256 }) => sha256 !== UNPINNED).map(({ path }) => path))
    return {
      dir: layout.modelDir(name),
      manifest,
      fingerprint: modelFingerprint(manifest),
      changed,
      trusted: [...fetched.keys()].filter(path => !sure.has(path) && !plan.pins?.files[path]),
    }
  } finally {
    progress.end()
    await release()
  }
}

/** Spares the pull when everything is as the plan wants it, files that were cut into their towers included. */
async function alreadyThere(layout: StoreLayout, name: string, { files, pins, manifest }: PullPlan) {
  const model = pins && (await installedModel(layout, name))
  if (!model || (manifest && JSON.stringify(manifest) !== JSON.stringify(model.manifest))) return undefined
  if (files.some(({ path, sha256 }) => pins.files[path]?.sha256 !== sha256)) return undefined
  const stored = await filesOfModel(layout, model)
  const facts = new Map(stored.map(file => [file.path, file]))
  if (!(await intact(model.dir, facts))) return undefined
  return { dir: model.dir, manifest: model.manifest, fingerprint: modelFingerprint(model.manifest) }
}

async function describe(entry: RegistryEntry, dir: string, fetched: ReadonlyMap<string, FileFacts>) {
  if (!isOneFile(entry.files)) return { manifest: describeModel(entry, dir, fetched), facts: fetched }
  const split = await splitTowers(dir, entry)
  const facts = new Map([...fetched, ...split.facts])
  const manifest = describeModel({ ...entry, files: split.files }, dir, facts)
  // What both towers lay in has served its purpose.
  for (const path of [entry.files.image.path, ...weightFilesOf(dir, entry.files.image.path)])
    facts.delete(path)
  return { manifest, facts }
}

/** All files of the plan, and the weight files that its ONNX files turn out to name, complete in the staging folder. */
async function fetchFiles(
  plan: PullPlan,
  { name, layout, signal }: PullRequest,
  policy: DownloadPolicy,
  progress: PullProgress,
): Promise<Map<string, FileFacts>> {
  const dir = layout.stagingDir(name)
  await mkdir(dir, { recursive: true }).catch(cause => {
    throw storeFault(dir, cause)
  })
  const installedDir = layout.modelDir(name)
  const facts = new Map<string, FileFacts>()
  const fetchOne = async (file: SourceFile): Promise<void> => {
    const job: Download = { source: plan.source, file, dir, signal }
    const there = (await known(dir, file)) ?? (await reuse(installedDir, dir, file))
    facts.set(file.path, there ?? (await downloadFile(job, policy, progress)))
  }
  await requireSpace(dir, await missingBytes([dir, installedDir], plan.files), policy.reserveBytes)
  for (const file of plan.files) await fetchOne(file)
  const weights = plan.files
    .filter(({ path }) => path.endsWith('.onnx'))
    .flatMap(({ path }) => weightFilesOf(dir, path))
  for (const path of new Set(weights)) {
    const pin = plan.pins?.files[path]
    if (!facts.has(path)) await fetchOne({ path, bytes: pin?.bytes ?? null, sha256: pin?.sha256 ?? UNPINNED })
  }
  return facts
}

/** The file's facts when `dir` holds it as it should be. A file that nothing is known of is fetched anew. */
async function known(dir: string, file: SourceFile): Promise<FileFacts | undefined> {
  if (file.sha256 === UNPINNED) return undefined
  const found = await hashFile(join(dir, file.path))
  return found?.sha256 === file.sha256 ? found : undefined
}

/** Takes what is right over from the installed model: a repair fetches only the damaged file. */
async function reuse(from: string, to: string, file: SourceFile): Promise<FileFacts | undefined> {
  const found = await known(from, file)
  if (!found) return undefined
  const target = join(to, file.path)
  await mkdir(dirname(target), { recursive: true })
  await rm(target, { force: true })
  // Without hard links (FAT, some network shares) it is simply fetched again.
  const linked = await link(join(from, file.path), target).then(
    () => true,
    () => false,
  )
  return linked ? found : undefined
}

/** Upper bound of what is still to come, from sizes alone. */
async function missingBytes(dirs: readonly string[], files: readonly SourceFile[]): Promise<number> {
  let missing = 0
  for (const file of files) {
    const sizes = await Promise.all(
      dirs.flatMap(dir => [join(dir, file.path), join(dir, `${file.path}.part`)]).map(sizeOf),
    )
    missing += Math.max(0, (file.bytes ?? 0) - Math.max(...sizes))
  }
  return missing
}

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  )
