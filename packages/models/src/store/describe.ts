import { join, posix } from 'node:path'
import type { ModelFile } from '@sightline/core/clip/model-files.js'
import { ModelManifest } from '@sightline/core/clip/model-manifest.js'
import { fault } from '@sightline/core/errors.js'
import { conforms, faultLines, schemaFaults } from '@sightline/core/schema.js'
import type { RegistryEntry } from '../registry/schema.ts'
import { readOnnxHeader } from './onnx-header.ts'
import { isSafePath } from './paths.ts'
import { imageTower, textTower } from './towers.ts'

/** What a manifest says, but for what the files tell themselves. */
export type ModelDescription = Omit<RegistryEntry, 'source' | 'zeroShot'>

export interface FileFacts {
  readonly bytes: number
  readonly sha256: string
}

/**
 * The manifest of a model whose files lie in `dir` under the entry's paths. Tensor names, id type and what the file
 * fixes come from the ONNX files themselves.
 * @throws MODEL_INVALID when the files contradict the entry
 */
export function describeModel(
  entry: ModelDescription,
  dir: string,
  facts: ReadonlyMap<string, FileFacts>,
): ModelManifest {
  const { files } = entry
  const image = imageTower(
    readOnnxHeader(join(dir, files.image.path)),
    { input: entry.image.input, output: entry.image.output },
    files.image.path,
  )
  const text = textTower(
    readOnnxHeader(join(dir, files.text.path)),
    { input: entry.text.inputIds, output: entry.text.output, attentionMask: entry.text.attentionMask },
    files.text.path,
  )
  refuseOthers(files.image.path, image.others)
  refuseOthers(files.text.path, text.others)
  agree(files.image.path, 'embedding length', image.dim, entry.dim)
  agree(files.text.path, 'embedding length', text.dim, entry.dim)
  agree(files.image.path, 'picture size', image.size, entry.image.size)
  agree(files.text.path, 'context length', text.length, entry.text.contextLength)
  const file = ({ path }: { path: string }) => {
    const found = facts.get(path)
    if (!found) throw fault('MODEL_MISSING', `${path} is missing in ${dir}`)
    return { path, bytes: found.bytes, sha256: found.sha256 }
  }
  const { size, resize, mean, std } = entry.image
  const { contextLength, padTo, padId, clean } = entry.text
  const manifest = {
    schema: 1,
    name: entry.name,
    version: entry.version,
    title: entry.title,
    dim: entry.dim,
    logitScale: entry.logitScale.value,
    image: {
      file: file(files.image),
      precision: entry.precision,
      ...(image.maxBatch ? { maxBatch: image.maxBatch } : {}),
      input: image.input,
      output: image.output,
      size,
      resize,
      mean,
      std,
      ...(files.variants
        ? {
            variants: describeVariants(
              dir,
              files.variants,
              { ...image, ...entry.image, dim: entry.dim },
              file,
            ),
          }
        : {}),
    },
    text: {
      file: file(files.text),
      precision: entry.precision,
      ...(text.maxBatch ? { maxBatch: text.maxBatch } : {}),
      inputIds: text.inputIds,
      ...(text.attentionMask ? { attentionMask: text.attentionMask } : {}),
      output: text.output,
      idType: text.idType,
      contextLength,
      // A file that fixes the length takes no other.
      padTo: text.length === undefined ? padTo : 'contextLength',
      padId,
      clean,
      tokenizer: file(files.tokenizer),
      tokenizerConfig: file(files.tokenizerConfig),
    },
    license: entry.license,
    trainingData: entry.trainingData,
    // Published figures are of the float original: only what was measured on these files belongs here.
    quality: [],
    cannot: [],
  }
  if (conforms(ModelManifest, manifest)) return manifest
  throw fault(
    'MODEL_INVALID',
    `the manifest of ${entry.name}:\n${faultLines(schemaFaults(ModelManifest, manifest))}`,
  )
}

type Variants = NonNullable<ModelDescription['files']['variants']>

/** What an image tower must be like to stand for another. */
export interface TowerShape {
  readonly input: string
  readonly output: string
  readonly dim: number
  readonly size: number
}

/**
 * The `variants` of a manifest. Whether their embeddings agree shows on the device, by the canary.
 * @throws MODEL_INVALID when a file's tensors or its precision are not as wanted
 */
export function describeVariants(
  dir: string,
  files: Variants,
  { input, output, dim, size }: TowerShape,
  factsOf: (file: { path: string }) => ModelFile,
): NonNullable<ModelManifest['image']['variants']> {
  const entries = Object.entries(files).map(([name, { path }]) => {
    const header = readOnnxHeader(join(dir, path))
    const tower = imageTower(header, { input, output }, path)
    refuseOthers(path, tower.others)
    agree(path, 'embedding length', tower.dim, dim)
    agree(path, 'picture size', tower.size, size)
    const kind = header.precision !== 'int8' ? header.precision : header.dynamic ? 'dynamic' : 'qdq'
    if (kind !== name) throw fault('MODEL_INVALID', `${path} is listed as ${name}, but it is ${kind}`)
    return [name, { file: factsOf({ path }), ...(tower.maxBatch ? { maxBatch: tower.maxBatch } : {}) }]
  })
  return Object.fromEntries(entries)
}

function agree(path: string, what: string, found: number | undefined, wanted: number): void {
  if (found === undefined || found === wanted) return
  throw fault('MODEL_INVALID', `${path} has ${what} ${found}, the description says ${wanted}`)
}

/** The manifest has no place for further inputs, and ONNX Runtime wants all of them. */
function refuseOthers(path: string, others: readonly string[]): void {
  if (others.length > 0)
    throw fault('MODEL_INVALID', `${path} also wants ${others.join(', ')}, which nothing feeds`)
}

/**
 * Weight files that an ONNX file names, as paths in the model directory.
 * @throws MODEL_INVALID when one of them points outside: a model must not make its reader open /etc/passwd
 */
export function weightFilesOf(dir: string, onnxPath: string): string[] {
  return readOnnxHeader(join(dir, onnxPath)).externalFiles.map(location => {
    const path = posix.join(posix.dirname(onnxPath), location.replace(/^\.\//, ''))
    if (!posix.isAbsolute(location) && isSafePath(path)) return path
    throw fault('MODEL_INVALID', `${onnxPath} names a weight file outside its folder: "${location}"`)
  })
}
