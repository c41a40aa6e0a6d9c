import { lstat, readdir, readFile, realpath } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { type ModelManifest, modelFingerprint } from '@sightline/core/clip/model-manifest.js'
import { imageFiles } from '@sightline/core/clip/variants.js'
import { isFault } from '@sightline/core/errors.js'
import { filesOf } from '../inspect/verify.ts'
import type { SourceFile } from '../registry/schema.ts'
import { weightFilesOf } from './describe.ts'
import { isModelName, isSafePath, StoreLayout } from './paths.ts'
import { readPins } from './pins.ts'
import type { StoreIndex } from './store-index.ts'

export interface InstalledModel {
  readonly name: string
  readonly dir: string
  readonly manifest: ModelManifest
}

/** Complete models of the store, by name. A folder with a damaged manifest is left out. */
export async function installedModels(layout: StoreLayout): Promise<InstalledModel[]> {
  const names = (await readdir(layout.root).catch(() => [])).filter(isModelName).sort()
  const found = await Promise.all(names.map(name => installedModel(layout, name)))
  return found.filter(model => model !== undefined)
}

/** Undefined when there is none, or when its manifest is damaged or another model's. */
export async function installedModel(layout: StoreLayout, name: string): Promise<InstalledModel | undefined> {
  const dir = layout.modelDir(name)
  try {
    const manifest = await readManifest(dir)
    const paths = filesOf(manifest).map(({ path }) => path)
    return manifest.name === name && paths.every(isSafePath) ? { name, dir, manifest } : undefined
  } catch (error) {
    if (isFault(error)) return undefined
    throw error
  }
}

export type StoredFile = Pick<SourceFile, 'path'> & { readonly bytes: number; readonly sha256: string }

/** The manifest's files and the weight files that its ONNX files name, as far as their hashes are known. */
export async function filesOfModel(
  layout: StoreLayout,
  { name, dir, manifest }: InstalledModel,
): Promise<StoredFile[]> {
  const files: StoredFile[] = filesOf(manifest)
  const pins = (await readPins(layout, name).catch(() => undefined))?.files ?? {}
  for (const path of weightPaths(dir, manifest)) {
    const pin = pins[path]
    if (pin && !files.some(file => file.path === path)) files.push({ path, ...pin })
  }
  return files
}

function weightPaths(dir: string, manifest: ModelManifest): string[] {
  return towersOf(manifest).flatMap(path => {
    try {
      return weightFilesOf(dir, path)
    } catch (error) {
      if (isFault(error)) return []
      throw error
    }
  })
}

/** Paths of the ONNX files, each once. */
export function towersOf(manifest: ModelManifest): string[] {
  const files = [...imageFiles(manifest).map(({ file }) => file.path), manifest.text.file.path]
  return [...new Set(files)]
}

export interface ServedFile {
  /** Absolute, for `createReadStream`; undefined when `content` is the answer. */
  readonly path: string | undefined
  readonly content: string | undefined
  readonly bytes: number
  /** Undefined for index.json and manifest.json. Fit for a strong ETag. */
  readonly sha256: string | undefined
  readonly contentType: string
}

/** What an HTTP route needs to serve a model store, read-only. */
export interface ModelStoreFiles {
  list(): Promise<StoreIndex>
  /**
   * Finds `index.json`, `NAME/manifest.json` or `NAME/<file of the manifest>`. Nothing else exists: no listing, no
   * unfinished pull, nothing that a symbolic link leads out of the store to.
   * @param path decoded, relative to the mount point, without a leading slash
   */
  find(path: string): Promise<ServedFile | undefined>
}

export function modelStoreFiles(root: string): ModelStoreFiles {
  const layout = new StoreLayout(root)
  const list = async (): Promise<StoreIndex> => ({
    schema: 1,
    kind: 'sightline-model-store',
    models: await Promise.all(
      (await installedModels(layout)).map(async model => ({
        name: model.name,
        version: model.manifest.version,
        title: model.manifest.title,
        fingerprint: modelFingerprint(model.manifest),
        files: (await filesOfModel(layout, model)).map(({ path, bytes, sha256 }) => ({
          path,
          bytes,
          sha256,
        })),
      })),
    ),
  })
  return {
    list,
    async find(path) {
      if (path === 'index.json') return json(JSON.stringify(await list()))
      const slash = path.indexOf('/')
      const [name, inside] = [path.slice(0, slash), path.slice(slash + 1)]
      if (slash < 0 || !isModelName(name) || !isSafePath(inside)) return undefined
      const model = await installedModel(layout, name)
      if (!model) return undefined
      if (inside === 'manifest.json') return json(await readFile(join(model.dir, inside), 'utf8'))
      const file = (await filesOfModel(layout, model)).find(candidate => candidate.path === inside)
      return file && (await served(model.dir, file))
    },
  }
}

function json(content: string): ServedFile {
  return {
    path: undefined,
    content,
    bytes: Buffer.byteLength(content),
    sha256: undefined,
    contentType: 'application/json; charset=utf-8',
  }
}

async function served(dir: string, { path, bytes, sha256 }: StoredFile): Promise<ServedFile | undefined> {
  const file = join(dir, path)
  const [found, real, home] = await Promise.all([
    lstat(file).catch(() => undefined),
    realpath(file).catch(() => ''),
    realpath(dir).catch(() => ''),
  ])
  // A file that was changed since must not go out under the old hash.
  if (!found?.isFile() || found.size !== bytes || !real.startsWith(home + sep)) return undefined
  const contentType = path.endsWith('.json') ? 'application/json; charset=utf-8' : 'application/octet-stream'
  return { path: file, content: undefined, bytes, sha256, contentType }
}
