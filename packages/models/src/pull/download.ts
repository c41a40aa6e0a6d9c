import { mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fault, isFault, messageOf } from '@sightline/core/errors.js'
import { type SourceFile, UNPINNED } from '../registry/schema.ts'
import { storeFault, syncDir } from '../store/atomic-file.ts'
import type { FileFacts } from '../store/describe.ts'
import { requireSpace } from './free-space.ts'
import { PartFile } from './part-file.ts'
import type { PullProgress } from './progress.ts'
import { canRetry, pause, type RetryPolicy } from './retry.ts'
import { type FileSource, type OpenedFile, pullFailed } from './source.ts'

export interface DownloadPolicy extends RetryPolicy {
  readonly reserveBytes: number
}

export interface Download {
  readonly source: FileSource
  readonly file: SourceFile
  /** Folder that `file.path` is relative to. */
  readonly dir: string
  readonly signal?: AbortSignal | undefined
}

/** When neither the registry nor the server says how large a file is. */
const MAX_BYTES = 64 * 2 ** 30

/**
 * Fetches one file into `dir`, resuming what an earlier attempt left in `<path>.part`; the final name appears once size
 * and hash are right and the bytes are on disk.
 * @throws MODEL_PULL_FAILED, MODEL_HASH_MISMATCH, DISK_FULL, MODEL_SOURCE_REFUSED, MODEL_STORE_FAILED
 */
export async function downloadFile(
  job: Download,
  policy: DownloadPolicy,
  progress: PullProgress,
): Promise<FileFacts> {
  const path = join(job.dir, job.file.path)
  await mkdir(dirname(path), { recursive: true }).catch(cause => {
    throw storeFault(path, cause)
  })
  const part = await PartFile.open(`${path}.part`)
  try {
    // A remainder that nothing vouches for may belong to other content.
    if (part.bytes > 0 && job.file.sha256 === UNPINNED && !part.etag) await part.restart()
    let resumed = part.bytes > 0
    for (;;) {
      resumed = (await fetchAll(job, part, policy, progress)) || resumed
      const mismatch = mismatchOf(job.file, part)
      if (!mismatch) break
      if (!resumed)
        throw fault('MODEL_HASH_MISMATCH', `${job.file.path} from ${job.source.label} ${mismatch}`)
      progress.note(`${job.file.path}: what was resumed does not fit, starting over`)
      await part.restart()
      resumed = false
    }
    await part.sync()
    await part.close()
    await rename(part.path, path).catch(cause => {
      throw storeFault(path, cause)
    })
    await part.forgetEtag()
    await syncDir(dirname(path))
    return { bytes: part.bytes, sha256: part.sha256() }
  } catch (error) {
    // Wrong bytes are of no use to a later attempt, and on a full disk nobody else could write.
    if (isFault(error, 'MODEL_HASH_MISMATCH') || isFault(error, 'DISK_FULL')) await part.remove()
    throw error
  } finally {
    await part.close()
  }
}

/** Until the last byte, over as many connections as it takes. @returns whether bytes of two connections were joined */
async function fetchAll(
  job: Download,
  part: PartFile,
  policy: DownloadPolicy,
  progress: PullProgress,
): Promise<boolean> {
  let joined = false
  let best = part.bytes
  for (let failures = 0; ; ) {
    const before = part.bytes
    if (before > 0 && before === job.file.bytes) return joined
    try {
      const opened = await job.source.open(job.file.path, {
        from: before,
        ifRange: part.etag,
        signal: job.signal,
      })
      joined ||= opened.start > 0
      try {
        await receive(job, part, opened, policy, progress)
      } finally {
        opened.close()
      }
      return joined
    } catch (error) {
      if (!canRetry(error)) throw error
      // A server that breaks off at the same place each time makes no progress, wherever it starts.
      failures = part.bytes > best ? 1 : failures + 1
      best = Math.max(best, part.bytes)
      if (failures > policy.maxFailures) {
        throw pullFailed(`${job.file.path}: given up after ${failures} attempts: ${messageOf(error)}`, {
          retry: false,
          cause: error,
        })
      }
      // Without a validator the next bytes might be of other content.
      if (job.file.sha256 === UNPINNED && !part.etag) await part.restart()
      await pause(policy, { failures, error, signal: job.signal }, progress)
    }
  }
}

async function receive(
  { source, file, dir }: Download,
  part: PartFile,
  { body, start, totalBytes, etag }: OpenedFile,
  { reserveBytes }: DownloadPolicy,
  progress: PullProgress,
): Promise<void> {
  if (start !== part.bytes) {
    if (start !== 0)
      throw pullFailed(`${source.label} sent ${file.path} from byte ${start}, not ${part.bytes}`, {
        retry: false,
      })
    await part.restart()
  }
  if (file.bytes !== null && totalBytes !== undefined && totalBytes !== file.bytes) {
    throw fault(
      'MODEL_HASH_MISMATCH',
      `${file.path} from ${source.label} has ${totalBytes} bytes, not ${file.bytes}`,
    )
  }
  const expected = file.bytes ?? totalBytes
  await requireSpace(dir, Math.max(0, (expected ?? 0) - part.bytes), reserveBytes)
  await part.noteEtag(etag)
  progress.file(file.path, part.bytes, expected)
  for await (const chunk of body) {
    if (part.bytes + chunk.length > (expected ?? MAX_BYTES)) {
      throw fault(
        'MODEL_HASH_MISMATCH',
        `${file.path} from ${source.label} is longer than ${expected ?? MAX_BYTES} bytes`,
      )
    }
    await part.append(chunk)
    progress.bytes(part.bytes)
  }
  if (expected !== undefined && part.bytes < expected) {
    throw pullFailed(`${file.path} ended after ${part.bytes} of ${expected} bytes`, { retry: true })
  }
}

function mismatchOf(file: SourceFile, part: PartFile): string | undefined {
  if (file.bytes !== null && part.bytes !== file.bytes) return `has ${part.bytes} bytes, not ${file.bytes}`
  const found = part.sha256()
  if (file.sha256 !== UNPINNED && found !== file.sha256) return `has sha256 ${found}, not ${file.sha256}`
  return part.bytes === 0 ? 'is empty' : undefined
}
