import { fault } from './errors.ts'

/** Inner product; the cosine for L2-normalised vectors. Both must have the same length. */
export function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

/** Inner product of `query` with row `row` of a row-major matrix. */
export function dotRow(matrix: Float32Array, row: number, query: Float32Array): number {
  const offset = row * query.length
  let sum = 0
  for (let i = 0; i < query.length; i++) sum += matrix[offset + i]! * query[i]!
  return sum
}

/**
 * Scales to unit length in place and returns the same array.
 * @throws MODEL_OUTPUT_INVALID when the norm is zero or not finite: such a vector must never reach an index.
 */
export function l2Normalize(vector: Float32Array): Float32Array {
  const norm = Math.sqrt(dot(vector, vector))
  if (!Number.isFinite(norm) || norm < 1e-12) {
    throw fault('MODEL_OUTPUT_INVALID', `a vector of norm ${norm} cannot be normalised`)
  }
  for (let i = 0; i < vector.length; i++) vector[i]! /= norm
  return vector
}

/** Little-endian float32 bytes; a copy, so that the vector may be reused. */
export function vectorToBytes(vector: Float32Array): Uint8Array {
  return new Uint8Array(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength))
}

/**
 * Reads `dim` little-endian float32 from bytes of any alignment.
 * @throws PAYLOAD_INVALID on a wrong length, a value that is not finite or a norm that is not 1 within 1e-3.
 */
export function vectorFromBytes(bytes: Uint8Array, dim: number): Float32Array {
  if (bytes.byteLength !== dim * 4) {
    throw fault('PAYLOAD_INVALID', `a vector of ${bytes.byteLength} bytes is not ${dim} float32`)
  }
  // A plain copy: `slice` of a Buffer is a view of its pool, at any alignment.
  const vector = new Float32Array(new Uint8Array(bytes).buffer)
  const norm = Math.sqrt(dot(vector, vector))
  if (!(Math.abs(norm - 1) <= 1e-3))
    throw fault('PAYLOAD_INVALID', `a vector of norm ${norm} is not L2-normalised`)
  return vector
}
