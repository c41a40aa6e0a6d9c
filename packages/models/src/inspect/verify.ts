import { readManifest, verifyFiles } from '@sightline/core/clip/model-files.js'
import { type ModelManifest, modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { imageFiles } from '@sightline/core/clip/variants.js'
import { isFault } from '@sightline/core/errors.js'

type ManifestFile = ModelManifest['image']['file']

export interface FileCheck {
  readonly path: string
  readonly bytes: number
  readonly sha256: string
  /** Null when the file is as the manifest says. */
  readonly problem: string | null
}

export interface VerifyReport {
  readonly name: string
  readonly version: string
  readonly fingerprint: string
  readonly files: readonly FileCheck[]
  readonly ok: boolean
}

/**
 * Reads every file that the manifest names and compares size and SHA-256; goes on after the first bad one.
 * @throws MODEL_MISSING, MODEL_INVALID when the manifest itself is missing or faulty
 */
export async function verifyModel(dir: string): Promise<VerifyReport> {
  const manifest = await readManifest(dir)
  const files: FileCheck[] = []
  for (const file of filesOf(manifest)) files.push({ ...file, problem: await problemOf(dir, file) })
  return {
    name: manifest.name,
    version: manifest.version,
    fingerprint: modelFingerprint(manifest),
    files,
    ok: files.every(({ problem }) => problem === null),
  }
}

/** Each file once: both towers may lie in the same one. */
export function filesOf(manifest: ModelManifest): ManifestFile[] {
  const { text } = manifest
  const images = imageFiles(manifest).map(({ file }) => file)
  const all = [...images, text.file, text.tokenizer, text.tokenizerConfig]
  return [...new Map(all.map(file => [file.path, file])).values()]
}

async function problemOf(dir: string, file: ManifestFile): Promise<string | null> {
  try {
    await verifyFiles(dir, [file], { verify: 'always' })
    return null
  } catch (error) {
    if (isFault(error)) return error.message
    throw error
  }
}
