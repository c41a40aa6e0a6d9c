import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fault, isFault } from '@sightline/core/errors.js'
import { GraphIndex, rebuild } from '../onnx/graph.ts'
import { readModel, writeModel } from '../onnx/model-file.ts'
import type { ModelProto } from '../onnx/proto.ts'
import { type FileFacts, type ModelDescription, weightFilesOf } from './describe.ts'
import { hashFile } from './hash-file.ts'
import { readOnnxHeader } from './onnx-header.ts'
import { imageTower, textTower } from './towers.ts'

type EntryFiles = ModelDescription['files']

/** Whether one file holds both towers: ONNX Runtime would compute both for every picture, and want both fed. */
export function isOneFile(files: EntryFiles): boolean {
  return files.image.path === files.text.path
}

/**
 * Cuts a file with both towers into two, beside it. The bytes depend on the source alone.
 * @returns where the towers lie, and what was written
 * @throws MODEL_INVALID, DISK_FULL
 */
export async function splitTowers(
  dir: string,
  entry: ModelDescription,
): Promise<{ readonly files: EntryFiles; readonly facts: ReadonlyMap<string, FileFacts> }> {
  const source = entry.files.image.path
  const header = readOnnxHeader(join(dir, source))
  const image = imageTower(header, { input: entry.image.input, output: entry.image.output }, source)
  const text = textTower(
    header,
    { input: entry.text.inputIds, output: entry.text.output, attentionMask: entry.text.attentionMask },
    source,
  )
  const facts = new Map<string, FileFacts>()
  const paths = { image: partPath(source, 'image'), text: partPath(source, 'text') }
  try {
    const { model, dir: modelDir } = await readModel(join(dir, source))
    for (const [path, output] of [
      [paths.image, image.output],
      [paths.text, text.output],
    ] as const) {
      await writeModel({ model: withOutput(model, output), dir: modelDir }, join(dir, path))
      for (const written of [path, ...weightFilesOf(dir, path)])
        facts.set(written, (await hashFile(join(dir, written)))!)
    }
  } catch (cause) {
    await Promise.all(Object.values(paths).map(path => rm(join(dir, path), { force: true })))
    if (isFault(cause, 'QUANTISE_OUTPUT'))
      throw fault('DISK_FULL', `cannot write the towers of ${source}`, { cause })
    throw fault('MODEL_INVALID', `${source} cannot be cut into its towers`, { cause })
  }
  return {
    files: { ...entry.files, image: at(paths.image, facts), text: at(paths.text, facts) },
    facts,
  }
}

function at(path: string, facts: ReadonlyMap<string, FileFacts>) {
  return { path, ...facts.get(path)! }
}

function partPath(source: string, tower: 'image' | 'text'): string {
  return source.replace(/(\.onnx)?$/, `.${tower}.onnx`)
}

/** The part of the graph that one output needs, with the inputs that this part takes. */
export function withOutput(model: ModelProto, name: string): ModelProto {
  const graph = model.graph ?? {}
  const single = {
    ...model,
    graph: { ...graph, output: (graph.output ?? []).filter(output => output.name === name) },
  }
  const cut = rebuild(single, graph.node ?? [], [])
  const index = new GraphIndex(cut)
  const taken = (input: string) => index.consumers(input).length > 0 || index.captured.has(input)
  return {
    ...cut,
    graph: { ...cut.graph, input: (cut.graph?.input ?? []).filter(input => taken(input.name ?? '')) },
  }
}
