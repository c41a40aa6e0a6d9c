import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { fault, messageOf } from '@sightline/core/errors.js'
import { externalise, externalRange, inlined } from './external-data.ts'
import { decodeModel, encodeModel, type ModelProto } from './proto.ts'
import { byteLengthOf, isExternal } from './tensor.ts'

/** Protobuf ends at 2 GiB; the margin leaves room for nodes and for buffers that double while they grow. */
const MAX_INLINE_BYTES = 1.5 * 2 ** 30

/** A model and the folder that its external tensors refer to. */
export interface LoadedModel {
  readonly model: ModelProto
  readonly dir: string
  /** On disk, side files included. */
  readonly bytes: number
}

/** @throws QUANTISE_NOT_ONNX, QUANTISE_EXTERNAL_DATA */
export async function readModel(path: string): Promise<LoadedModel> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (cause) {
    throw fault('QUANTISE_NOT_ONNX', `cannot read ${path}: ${messageOf(cause)}`, { cause })
  }
  const model = decodeModel(bytes)
  const dir = dirname(resolve(path))
  let side = 0
  for (const file of sideFiles(model, dir)) side += await sizeOf(file)
  return { model, dir, bytes: bytes.length + side }
}

function sideFiles(model: ModelProto, dir: string): Set<string> {
  const external = (model.graph?.initializer ?? []).filter(isExternal)
  return new Set(external.map(tensor => externalRange(tensor, dir).path))
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (cause) {
    throw fault('QUANTISE_EXTERNAL_DATA', `the weight file ${path} is missing`, { cause })
  }
}

/** Bytes of all stored weights. */
export function weightBytes(model: ModelProto): number {
  return (model.graph?.initializer ?? []).reduce((sum, tensor) => sum + byteLengthOf(tensor), 0)
}

/**
 * Writes the model whole or not at all, with its weights in PATH.data when they would not fit into one protobuf or
 * when `external` asks for it.
 * @returns bytes on disk, side file included
 * @throws QUANTISE_OUTPUT
 */
export async function writeModel(
  { model, dir }: { readonly model: ModelProto; readonly dir: string },
  path: string,
  options: { readonly external?: boolean } = {},
): Promise<number> {
  const external = options.external ?? weightBytes(model) > MAX_INLINE_BYTES
  const part = `${path}.part`
  const sidePart = `${path}.data.part`
  const tensors = model.graph?.initializer ?? []
  try {
    const target = { sourceDir: dir, path: sidePart, location: `${basename(path)}.data` }
    const initializer = external
      ? await externalise(tensors, target)
      : await Promise.all(tensors.map(tensor => inlined(tensor, dir)))
    const bytes = encodeModel({ ...model, graph: { ...model.graph, initializer } })
    await writeFile(part, bytes)
    const side = external ? (await stat(sidePart)).size : 0
    // The side file first: a model without its weights must never be seen under the final name.
    if (external) await rename(sidePart, `${path}.data`)
    await rename(part, path)
    return bytes.length + side
  } catch (cause) {
    await Promise.all([part, sidePart].map(file => rm(file, { force: true }).catch(() => undefined)))
    if (cause instanceof Error && 'syscall' in cause) {
      throw fault('QUANTISE_OUTPUT', `cannot write ${path}: ${messageOf(cause)}`, { cause })
    }
    throw cause
  }
}
