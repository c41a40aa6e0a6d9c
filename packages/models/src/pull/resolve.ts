import { join } from 'node:path'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { ModelManifest } from '@sightline/core/clip/model-manifest.js'
import { fault, isFault } from '@sightline/core/errors.js'
import { conforms, faultLines, schemaFaults } from '@sightline/core/schema.js'
import { filesOf } from '../inspect/verify.ts'
import type { Registry } from '../registry/registry.ts'
import { filesOfEntry, sourceId } from '../registry/registry.ts'
import { type RegistryEntry, type SourceFile, UNPINNED } from '../registry/schema.ts'
import { filesOfModel, type StoredFile } from '../store/model-store.ts'
import { isSafePath, StoreLayout } from '../store/paths.ts'
import { type Pins, readPins } from '../store/pins.ts'
import { StoreIndex } from '../store/store-index.ts'
import { type HttpOptions, httpGet, mirrorUrl } from './http.ts'
import { HttpSource, sourceOf } from './http-source.ts'
import type { PullProgress } from './progress.ts'
import { type RetryPolicy, retrying } from './retry.ts'
import { type FileSource, FolderSource } from './source.ts'

export interface PullPlan {
  readonly source: FileSource
  /** What to fetch, held to all that is known: registry, the store that serves it, the pins of the first pull. */
  readonly files: readonly SourceFile[]
  readonly sourceId: string
  /** Undefined when the model is known only to the store that serves it. */
  readonly entry: RegistryEntry | undefined
  /** The manifest of the store that serves it: pulled models then have the fingerprint that they have there. */
  readonly manifest: ModelManifest | undefined
  readonly pins: Pins | undefined
}

export interface PlanRequest {
  readonly name: string
  readonly registry: Registry
  readonly layout: StoreLayout
  /** Another Hugging Face endpoint, or a served model store. */
  readonly mirror?: string | undefined
  /** Folder in place of the network: a model store, a copy of the repository, or a folder per model. */
  readonly offline?: string | undefined
  /** Forgets what earlier pulls found. */
  readonly repin: boolean
  readonly signal?: AbortSignal | undefined
}

export interface PullTools {
  readonly http: HttpOptions
  readonly policy: RetryPolicy
  readonly progress: PullProgress
}

const MAX_JSON_BYTES = 8 * 2 ** 20

/** @throws MODEL_UNKNOWN, MODEL_HASH_MISMATCH when store and registry contradict each other, MODEL_PULL_FAILED, MODEL_SOURCE_REFUSED */
export async function planPull(request: PlanRequest, tools: PullTools): Promise<PullPlan> {
  const { http } = tools
  const { name, registry, layout, mirror, offline, repin } = request
  layout.modelDir(name)
  const entry = registry.find(name)
  const pins = repin ? undefined : await readPins(layout, name)
  const served = offline
    ? await folderStore(name, offline)
    : mirror
      ? await servedStore(request, tools)
      : undefined
  if (served) {
    const id = entry ? sourceId(entry.source) : `store:${name}@${served.manifest.version}`
    const known = pins?.source === id ? pins : undefined
    const files = held(
      held(served.files, entry ? filesOfEntry(entry) : [], 'registry'),
      pinned(known),
      'first pull',
    )
    return { source: served.source, files, sourceId: id, entry, manifest: served.manifest, pins: known }
  }
  const required = entry ?? registry.get(name)
  const id = sourceId(required.source)
  const known = pins?.source === id ? pins : undefined
  const revision = known?.revision ?? undefined
  const source = offline
    ? new FolderSource(offline, offlineDirs(required, offline))
    : sourceOf(required.source, { mirror: mirror ? mirrorUrl(mirror) : undefined, pinned: revision, http })
  const files = held(filesOfEntry(required), pinned(known), 'first pull')
  return { source, files, sourceId: id, entry: required, manifest: undefined, pins: known }
}

function pinned(pins: Pins | undefined): SourceFile[] {
  return Object.entries(pins?.files ?? {}).map(([path, facts]) => ({ path, ...facts }))
}

/** Holds every file to what `authority` says of it. @throws MODEL_HASH_MISMATCH when two that are sure contradict each other */
function held(files: readonly SourceFile[], sayings: readonly SourceFile[], authority: string): SourceFile[] {
  return files.map(file => {
    const said = sayings.find(({ path }) => path === file.path)
    if (!said || said.sha256 === UNPINNED) return file
    if (file.sha256 !== UNPINNED && file.sha256 !== said.sha256) {
      throw fault(
        'MODEL_HASH_MISMATCH',
        `${file.path} is offered with sha256 ${file.sha256}; the ${authority} says ${said.sha256}`,
      )
    }
    return { ...said, bytes: said.bytes ?? file.bytes }
  })
}

interface ServedModel {
  readonly source: FileSource
  readonly files: SourceFile[]
  readonly manifest: ModelManifest
}

/** A model store in a folder, for example on a memory stick. */
async function folderStore(name: string, dir: string): Promise<ServedModel | undefined> {
  const modelDir = join(dir, name)
  let manifest: ModelManifest
  try {
    manifest = await readManifest(modelDir)
  } catch (error) {
    if (isFault(error, 'MODEL_MISSING')) return undefined
    throw error
  }
  const files = await filesOfModel(new StoreLayout(dir), { name, dir: modelDir, manifest })
  return { source: new FolderSource(modelDir, [modelDir]), files: checked(manifest, name, files), manifest }
}

/** A store that a hub serves tells so in index.json; anything else under a mirror URL is taken for an endpoint. */
async function servedStore(
  { name, mirror, signal }: PlanRequest,
  tools: PullTools,
): Promise<ServedModel | undefined> {
  const base = mirrorUrl(mirror!)
  const { http, policy, progress } = tools
  const read = (url: URL) => retrying(() => getJson(url, http, signal), { policy, signal, progress })
  const index = await read(new URL('index.json', base))
  if (!conforms(StoreIndex, index)) return undefined
  const listed = index.models.find(model => model.name === name)
  if (!listed) {
    const names = index.models.map(model => model.name).join(', ') || 'none'
    throw fault('MODEL_UNKNOWN', `${base.href} does not have "${name}"; it has ${names}`)
  }
  const home = new URL(`${name}/`, base)
  const manifest = await read(new URL('manifest.json', home))
  if (!conforms(ModelManifest, manifest)) {
    throw fault(
      'MODEL_INVALID',
      `${home.href}manifest.json:\n${faultLines(schemaFaults(ModelManifest, manifest))}`,
    )
  }
  const source = new HttpSource({ label: home.href, urlOf: path => new URL(path, home), http })
  return { source, files: checked(manifest, name, listed.files), manifest }
}

/** Refuses paths that lead out of the model directory, whatever the other side wrote into its manifest. */
function checked(manifest: ModelManifest, name: string, files: readonly StoredFile[]): SourceFile[] {
  if (manifest.name !== name)
    throw fault('MODEL_INVALID', `the manifest of ${name} is that of ${manifest.name}`)
  const all = [...new Map([...files, ...filesOf(manifest)].map(file => [file.path, file])).values()]
  for (const { path } of all) {
    if (!isSafePath(path) || path === 'manifest.json') {
      throw fault(
        'MODEL_INVALID',
        `the manifest of ${name} names "${path}", which is no path inside a model directory`,
      )
    }
  }
  return all.sort((a, b) => a.bytes - b.bytes)
}

/** Undefined when there is no JSON under this URL. */
async function getJson(url: URL, http: HttpOptions, signal: AbortSignal | undefined): Promise<unknown> {
  let text = ''
  try {
    const { body, close } = await httpGet(url, { signal }, http)
    try {
      for await (const chunk of body) {
        text += Buffer.from(chunk).toString('latin1')
        if (text.length > MAX_JSON_BYTES) return undefined
      }
    } finally {
      close()
    }
    return JSON.parse(Buffer.from(text, 'latin1').toString('utf8'))
  } catch (error) {
    if (
      error instanceof SyntaxError ||
      (isFault(error, 'MODEL_PULL_FAILED') && error.details.retry === false)
    )
      return undefined
    throw error
  }
}

/** The layouts in which people carry models: a folder per model, the repository's name, or the files alone. */
function offlineDirs({ name, source }: RegistryEntry, dir: string): string[] {
  return [join(dir, name), ...(source.kind === 'huggingface' ? [join(dir, source.repo)] : []), dir]
}
