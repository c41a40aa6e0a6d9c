import { constants } from 'node:fs'
import { copyFile, mkdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, posix, resolve } from 'node:path'
import { readManifest } from '@sightline/core/clip/model-files.js'
import { type ModelManifest, modelFingerprint, VARIANTS } from '@sightline/core/clip/model-manifest.js'
import { fault } from '@sightline/core/errors.js'
import { filesOf } from '../inspect/verify.ts'
import { RESERVE_BYTES, requireSpace } from '../pull/free-space.ts'
import { UNPINNED } from '../registry/schema.ts'
import { storeFault } from './atomic-file.ts'
import { lockModel } from './busy-lock.ts'
import {
  describeModel,
  describeVariants,
  type FileFacts,
  type ModelDescription,
  weightFilesOf,
} from './describe.ts'
import { describeExport, findExport, type ImportOptions } from './export-folder.ts'
import { hashFile } from './hash-file.ts'
import { installModel, recoverModel } from './install.ts'
import { towersOf } from './model-store.ts'
import { isSafePath, type StoreLayout } from './paths.ts'
import { writePins } from './pins.ts'
import { isOneFile, splitTowers } from './split-towers.ts'

export interface ImportRequest extends ImportOptions {
  readonly dir: string
  readonly name: string
  readonly layout: StoreLayout
  readonly reserveBytes?: number
}

export interface ImportResult {
  readonly dir: string
  readonly manifest: ModelManifest
  readonly fingerprint: string
  /** Settings that nothing told: what they were set to. */
  readonly assumed: readonly string[]
}

/**
 * Takes a model of one's own into the store: a folder with manifest.json, or one with ONNX towers (or one file with
 * both) and a tokenizer, as Optimum, open_clip and Immich export them. Files are copied, hashed and described.
 * @throws MODEL_MISSING, MODEL_INVALID saying which option is wanted, MODEL_PULL_BUSY, DISK_FULL, MODEL_STORE_FAILED
 */
export async function importModel(request: ImportRequest): Promise<ImportResult> {
  const { layout, name } = request
  const release = await lockModel(layout.busyFile(name))
  const staging = layout.stagingDir(name)
  try {
    await recoverModel(layout, name)
    await rm(staging, { recursive: true, force: true })
    await mkdir(staging, { recursive: true }).catch(cause => {
      throw storeFault(staging, cause)
    })
    const taken = (await stat(join(request.dir, 'manifest.json')).catch(() => undefined))
      ? await takeModelDir(request, staging)
      : await takeExport(request, staging)
    const source = `import:${name}`
    await writePins(layout, name, {
      schema: 1,
      source,
      revision: null,
      pinnedAt: new Date().toISOString(),
      files: Object.fromEntries(taken.facts),
    })
    await installModel(layout, name, taken.manifest, taken.facts)
    const { manifest, assumed } = taken
    return { dir: layout.modelDir(name), manifest, fingerprint: modelFingerprint(manifest), assumed }
  } catch (error) {
    await rm(staging, { recursive: true, force: true })
    throw error
  } finally {
    await release()
  }
}

interface Taken {
  readonly manifest: ModelManifest
  readonly facts: Map<string, FileFacts>
  readonly assumed: readonly string[]
}

async function takeModelDir(request: ImportRequest, staging: string): Promise<Taken> {
  const { dir, name, reserveBytes } = request
  const manifest = { ...(await readManifest(dir)), name }
  const listed = filesOf(manifest)
  const bad = listed.find(({ path }) => !isSafePath(path))
  if (bad)
    throw fault('MODEL_INVALID', `the manifest names "${bad.path}", which is no path inside its folder`)
  const paths = listed.map(({ path }) => path)
  const weights = towersOf(manifest).flatMap(path => weightFilesOf(dir, path))
  const added = variantFiles(request)
  const copies = [
    ...[...paths, ...weights].map(path => ({ from: join(dir, path), to: path })),
    ...added.copies,
  ]
  const facts = await copyAll(copies, staging, reserveBytes)
  for (const { path, sha256 } of listed) {
    if (facts.get(path)?.sha256 === sha256) continue
    throw fault(
      'MODEL_FILE_CORRUPT',
      `${join(dir, path)} has sha256 ${facts.get(path)?.sha256}, not ${sha256}`,
    )
  }
  if (added.copies.length === 0) return { manifest, facts, assumed: [] }
  const { image, dim } = manifest
  const described = describeVariants(staging, added.files, { ...image, dim }, ({ path }) => ({
    path,
    ...facts.get(path)!,
  }))
  const variants = { ...image.variants, ...described }
  return { manifest: { ...manifest, image: { ...image, variants } }, facts, assumed: [] }
}

/** Each variant in a folder of its own, so that weight files beside it keep their names. */
function variantFiles({ dir, variants = {} }: ImportRequest) {
  const copies: { from: string; to: string }[] = []
  const files: NonNullable<ModelDescription['files']['variants']> = {}
  for (const kind of VARIANTS) {
    const given = variants[kind]
    if (given === undefined) continue
    const from = resolve(dir, given)
    const to = `image/${kind}/${basename(from)}`
    if (!isSafePath(to))
      throw fault('MODEL_INVALID', `rename ${from}: only letters, digits, ".", "_" and "-"`)
    for (const path of ['', ...weightFilesOf(dirname(from), basename(from))])
      copies.push(
        path === ''
          ? { from, to }
          : { from: join(dirname(from), path), to: posix.join(posix.dirname(to), path) },
      )
    files[kind] = { path: to, bytes: null, sha256: UNPINNED }
  }
  return { copies, files }
}

async function takeExport(request: ImportRequest, staging: string): Promise<Taken> {
  const found = await findExport(request)
  const same = found.image === found.text
  const files = {
    image: { path: same ? `model/${basename(found.image)}` : `image/${basename(found.image)}` },
    text: { path: same ? `model/${basename(found.image)}` : `text/${basename(found.text)}` },
    tokenizer: { path: 'text/tokenizer.json' },
    tokenizerConfig: { path: 'text/tokenizer_config.json' },
  }
  const weights = (onnx: string, to: string) =>
    weightFilesOf(dirname(onnx), basename(onnx)).map(path => ({
      from: join(dirname(onnx), path),
      to: posix.join(posix.dirname(to), path),
    }))
  const added = variantFiles(request)
  if (same && added.copies.length > 0)
    throw fault('MODEL_INVALID', 'variants need an image tower in a file of its own')
  const copies = [
    { from: found.image, to: files.image.path },
    { from: found.text, to: files.text.path },
    { from: found.tokenizer, to: files.tokenizer.path },
    { from: found.tokenizerConfig, to: files.tokenizerConfig.path },
    ...weights(found.image, files.image.path),
    ...weights(found.text, files.text.path),
    ...added.copies,
  ]
  const unique = [...new Map(copies.map(copy => [copy.to, copy])).values()]
  const odd = unique.find(({ to }) => !isSafePath(to))
  if (odd) throw fault('MODEL_INVALID', `rename ${odd.from}: only letters, digits, ".", "_" and "-"`)
  const facts = await copyAll(unique, staging, request.reserveBytes)
  const withFacts = ({ path }: { path: string }) => ({ path, ...facts.get(path)! })
  const { description, assumed } = await describeExport(request, found)
  const entry: ModelDescription = {
    ...description,
    files: {
      image: withFacts(files.image),
      text: withFacts(files.text),
      tokenizer: withFacts(files.tokenizer),
      tokenizerConfig: withFacts(files.tokenizerConfig),
      ...(added.copies.length > 0 ? { variants: added.files } : {}),
    },
  }
  if (!isOneFile(entry.files)) return { manifest: describeModel(entry, staging, facts), facts, assumed }
  const split = await splitTowers(staging, entry)
  for (const [path, fact] of split.facts) facts.set(path, fact)
  const manifest = describeModel({ ...entry, files: split.files }, staging, facts)
  for (const path of [files.image.path, ...weightFilesOf(staging, files.image.path)]) facts.delete(path)
  return { manifest, facts, assumed }
}

async function copyAll(
  copies: readonly { readonly from: string; readonly to: string }[],
  dir: string,
  reserveBytes = RESERVE_BYTES,
): Promise<Map<string, FileFacts>> {
  let bytes = 0
  for (const { from } of copies) {
    const found = await stat(from).catch(cause => {
      throw fault('MODEL_MISSING', `${from} is missing`, { cause })
    })
    bytes += found.size
  }
  await requireSpace(dir, bytes, reserveBytes)
  const facts = new Map<string, FileFacts>()
  for (const { from, to } of copies) {
    const target = join(dir, to)
    try {
      await mkdir(dirname(target), { recursive: true })
      await copyFile(from, target, constants.COPYFILE_FICLONE)
    } catch (cause) {
      throw storeFault(target, cause)
    }
    facts.set(to, (await hashFile(target))!)
  }
  return facts
}
