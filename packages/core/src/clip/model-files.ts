import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fault } from '../errors.ts'
import { faultLines, schemaFaults } from '../schema.ts'
import { ModelManifest } from './model-manifest.ts'

/** A file that a manifest names. */
export type ModelFile = ModelManifest['image']['file']

/** `once`: hash a file when it is new or has changed. `always`: hash it at every load. */
export type Verification = 'once' | 'always'

const CHECKS_FILE = '.verified.json'

/**
 * Reads and checks `manifest.json`.
 * @throws MODEL_MISSING, MODEL_INVALID listing every fault by its path
 */
export async function readManifest(dir: string): Promise<ModelManifest> {
  const path = join(dir, 'manifest.json')
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw fault('MODEL_MISSING', `no model: ${path} cannot be read`, { cause })
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw fault('MODEL_INVALID', `${path} is not JSON`, { cause })
  }
  const faults = schemaFaults(ModelManifest, value)
  if (faults.length > 0) {
    throw fault('MODEL_INVALID', `${path} has faults:\n${faultLines(faults)}`, { details: { faults } })
  }
  return value as ModelManifest
}

export interface VerifyOptions {
  readonly verify?: Verification
  /** Where checks are remembered when the model's own directory cannot be written to. */
  readonly cacheDir?: string
}

/**
 * Compares files with the size and SHA-256 that the manifest gives. A passed check is remembered beside the model,
 * keyed by path, size, modification time and hash, so that the next start does not read the weights twice.
 * @throws MODEL_MISSING, MODEL_FILE_CORRUPT
 */
export async function verifyFiles(
  dir: string,
  files: readonly ModelFile[],
  { verify = 'once', cacheDir }: VerifyOptions = {},
): Promise<void> {
  const caches = [dir, ...(cacheDir === undefined ? [] : [cacheDir])].map(place => join(place, CHECKS_FILE))
  const known = new Set((await Promise.all(caches.map(readChecks))).flat())
  const passed: string[] = []
  for (const file of files) {
    const path = resolve(dir, file.path)
    const check = await checkOf(path, file)
    if (verify === 'once' && known.has(check)) continue
    const digest = await sha256(path)
    if (digest !== file.sha256) {
      throw fault('MODEL_FILE_CORRUPT', `${path} has sha256 ${digest}, not ${file.sha256}`, {
        details: { path, expected: file.sha256, found: digest },
      })
    }
    if (!known.has(check)) passed.push(check)
  }
  if (passed.length > 0) await remember(caches, [...known, ...passed])
}

/** The line that stands for one passed check. */
async function checkOf(path: string, file: ModelFile): Promise<string> {
  const found = await stat(path).catch(cause => {
    throw fault('MODEL_MISSING', `the model file ${path} is missing`, { cause })
  })
  if (found.size !== file.bytes) {
    throw fault('MODEL_FILE_CORRUPT', `${path} has ${found.size} bytes, not ${file.bytes}`, {
      details: { path, expectedBytes: file.bytes, foundBytes: found.size },
    })
  }
  return `${file.sha256} ${found.size} ${found.mtimeMs} ${path}`
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash)
  return hash.digest('hex')
}

/** A damaged list only costs a second reading of the files. */
async function readChecks(path: string): Promise<string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    return Array.isArray(value) ? value.filter(line => typeof line === 'string') : []
  } catch {
    return []
  }
}

/** Writes to the first place that takes it. Read-only everywhere is no fault: the files are then hashed at each start. */
async function remember(caches: readonly string[], checks: readonly string[]): Promise<void> {
  const current = new Map(checks.map(check => [check.split(' ').slice(3).join(' '), check]))
  const text = `${JSON.stringify([...current.values()], null, 2)}\n`
  for (const path of caches) {
    const partial = `${path}.${process.pid}.tmp`
    try {
      await mkdir(join(path, '..'), { recursive: true })
      await writeFile(partial, text)
      await rename(partial, path)
      return
    } catch {
      // The next place, or none.
    }
  }
}
