import { type FileHandle, open } from 'node:fs/promises'
import { basename, isAbsolute, join, normalize, sep } from 'node:path'
import { fault } from '@sightline/core/errors.js'
import { DataType, type TensorProto } from './proto.ts'
import { byteLengthOf, dimsOf, elementCount, float32View, inlineFloats, isExternal } from './tensor.ts'

const CHUNK_BYTES = 8 << 20
/** mmap wants page alignment ("offset values SHOULD be multiples 4096", onnx.proto3). */
const ALIGN_BYTES = 4096
/** Smaller tensors (scales, shapes) stay in the model: one read less each, and shape inference needs some of them. */
const MIN_EXTERNAL_BYTES = 1024
const MAX_TENSOR_BYTES = 2 ** 31 - 1

export interface ExternalRange {
  readonly path: string
  readonly offset: number
  readonly length: number
}

/**
 * Where an external tensor's bytes lie. The location must stay inside the model's folder, as ONNX Runtime demands too:
 * a model must not make its reader open /etc/passwd.
 * @throws QUANTISE_EXTERNAL_DATA
 */
export function externalRange(tensor: TensorProto, dir: string): ExternalRange {
  const entry = (key: string) => tensor.externalData?.find(pair => pair.key === key)?.value
  const location = entry('location') ?? ''
  const inside = normalize(location)
  if (location === '' || isAbsolute(location) || inside === '..' || inside.startsWith(`..${sep}`)) {
    throw fault(
      'QUANTISE_EXTERNAL_DATA',
      `tensor ${tensor.name} points outside the model folder: "${location}"`,
    )
  }
  const length = entry('length')
  return {
    path: join(dir, inside),
    offset: Number(entry('offset') ?? 0),
    length: length === undefined ? byteLengthOf(tensor) : Number(length),
  }
}

/** Bytes of the range in chunks of at most 8 MiB. */
async function* readRange(file: FileHandle, range: ExternalRange): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < range.length; ) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, range.length - done))
    const { bytesRead } = await file.read(chunk, 0, chunk.length, range.offset + done)
    if (bytesRead === 0) {
      throw fault(
        'QUANTISE_EXTERNAL_DATA',
        `${basename(range.path)} ends before byte ${range.offset + range.length}`,
      )
    }
    yield chunk.subarray(0, bytesRead)
    done += bytesRead
  }
}

async function openRange(range: ExternalRange): Promise<FileHandle> {
  try {
    return await open(range.path, 'r')
  } catch (cause) {
    throw fault('QUANTISE_EXTERNAL_DATA', `cannot open the weight file ${range.path}`, { cause })
  }
}

/** Values of a float32 tensor, wherever it is stored. One tensor is held in memory at a time. */
export async function readFloats(tensor: TensorProto, dir: string): Promise<Float32Array> {
  if (!isExternal(tensor)) return inlineFloats(tensor)
  const range = externalRange(tensor, dir)
  const count = elementCount(dimsOf(tensor))
  if (tensor.dataType !== DataType.FLOAT || range.length !== count * 4) {
    throw fault('QUANTISE_EXTERNAL_DATA', `tensor ${tensor.name} is not float32 of ${count} values`)
  }
  return float32View(await readExternalBytes(range))
}

async function readExternalBytes(range: ExternalRange): Promise<Uint8Array> {
  if (range.length > MAX_TENSOR_BYTES) {
    throw fault(
      'QUANTISE_UNSUPPORTED',
      `one tensor of ${range.length} bytes; the limit is ${MAX_TENSOR_BYTES}`,
    )
  }
  const bytes = new Uint8Array(range.length)
  const file = await openRange(range)
  try {
    let at = 0
    for await (const chunk of readRange(file, range)) {
      bytes.set(chunk, at)
      at += chunk.length
    }
  } finally {
    await file.close()
  }
  return bytes
}

export async function inlined(tensor: TensorProto, dir: string): Promise<TensorProto> {
  if (!isExternal(tensor)) return tensor
  const { externalData: _gone, dataLocation: _location, ...rest } = tensor
  return { ...rest, rawData: await readExternalBytes(externalRange(tensor, dir)) }
}

/** Raw little-endian bytes of an inline tensor, or undefined when they cannot leave the model (strings, packed ints). */
function movableBytes(tensor: TensorProto): Uint8Array | undefined {
  if (tensor.rawData?.length) return tensor.rawData
  if (tensor.dataType !== DataType.FLOAT || !tensor.floatData?.length) return undefined
  const values = inlineFloats(tensor)
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

/**
 * Writes the large tensors into one side file, streaming those that come from another side file.
 * @returns the tensors with references to `location`
 */
export async function externalise(
  tensors: readonly TensorProto[],
  target: { readonly sourceDir: string; readonly path: string; readonly location: string },
): Promise<TensorProto[]> {
  const file = await open(target.path, 'w')
  const result: TensorProto[] = []
  let offset = 0
  try {
    for (const tensor of tensors) {
      const bytes = isExternal(tensor) ? undefined : movableBytes(tensor)
      if (!isExternal(tensor) && (bytes === undefined || bytes.length < MIN_EXTERNAL_BYTES)) {
        result.push(tensor)
        continue
      }
      offset = Math.ceil(offset / ALIGN_BYTES) * ALIGN_BYTES
      const start = offset
      for await (const chunk of bytes ? [bytes] : sourceChunks(tensor, target.sourceDir)) {
        for (let done = 0; done < chunk.length; ) {
          done += (await file.write(chunk, done, Math.min(CHUNK_BYTES, chunk.length - done), offset + done))
            .bytesWritten
        }
        offset += chunk.length
      }
      const { rawData: _raw, floatData: _floats, ...rest } = tensor
      result.push({
        ...rest,
        dataLocation: 1,
        externalData: [
          { key: 'location', value: target.location },
          { key: 'offset', value: String(start) },
          { key: 'length', value: String(offset - start) },
        ],
      })
    }
    await file.sync()
  } finally {
    await file.close()
  }
  return result
}

async function* sourceChunks(tensor: TensorProto, dir: string): AsyncGenerator<Uint8Array> {
  const range = externalRange(tensor, dir)
  const file = await openRange(range)
  try {
    yield* readRange(file, range)
  } finally {
    await file.close()
  }
}
