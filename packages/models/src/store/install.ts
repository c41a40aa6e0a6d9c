import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import type { ModelManifest } from '@sightline/core/clip/model-manifest.js'
import { storeFault, syncDir, writeFileAtomic } from './atomic-file.ts'
import type { FileFacts } from './describe.ts'
import { hashFile } from './hash-file.ts'
import { installedModel } from './model-store.ts'
import type { StoreLayout } from './paths.ts'

/**
 * Turns the staging folder into the model: everything else in it goes, the manifest comes, the folder gets its name.
 * @returns false when the same model is installed already
 * @throws DISK_FULL, MODEL_STORE_FAILED
 */
export async function installModel(
  layout: StoreLayout,
  name: string,
  manifest: ModelManifest,
  facts: ReadonlyMap<string, FileFacts>,
): Promise<boolean> {
  const staging = layout.stagingDir(name)
  const target = layout.modelDir(name)
  const present = await installedModel(layout, name)
  if (
    present &&
    JSON.stringify(present.manifest) === JSON.stringify(manifest) &&
    (await intact(target, facts))
  ) {
    await rm(staging, { recursive: true, force: true })
    return false
  }
  try {
    await removeStrangers(staging, new Set(facts.keys()))
    for (const path of facts.keys()) await syncFile(join(staging, path))
    await writeFileAtomic(join(staging, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
    await retire(layout, name)
    await rename(staging, target)
    await syncDir(layout.root)
  } catch (cause) {
    await recoverModel(layout, name)
    throw storeFault(target, cause)
  }
  await rm(layout.retiredDir(name), { recursive: true, force: true })
  return true
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

export async function intact(dir: string, facts: ReadonlyMap<string, FileFacts>): Promise<boolean> {
  for (const [path, { sha256 }] of facts)
    if ((await hashFile(join(dir, path)))?.sha256 !== sha256) return false
  return true
}

/** Remainders of earlier pulls that this one did not want. */
async function removeStrangers(dir: string, wanted: ReadonlySet<string>): Promise<void> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true })
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    if (!entry.isDirectory() && !wanted.has(relative(dir, path).replaceAll(sep, '/')))
      await rm(path, { force: true })
  }
}

/** A folder that is not empty cannot be renamed over: the old model steps aside for a moment. */
async function retire(layout: StoreLayout, name: string): Promise<void> {
  if (!(await exists(layout.modelDir(name)))) return
  const retired = layout.retiredDir(name)
  await mkdir(dirname(retired), { recursive: true })
  await rm(retired, { recursive: true, force: true })
  await rename(layout.modelDir(name), retired)
}

/** Undoes a replacement that a crash cut in half. */
export async function recoverModel(layout: StoreLayout, name: string): Promise<void> {
  const retired = layout.retiredDir(name)
  if (!(await exists(retired))) return
  if (await exists(layout.modelDir(name))) await rm(retired, { recursive: true, force: true })
  else await rename(retired, layout.modelDir(name))
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
