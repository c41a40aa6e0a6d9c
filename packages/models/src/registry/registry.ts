import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { fault } from '@sightline/core/errors.js'
import { conforms, faultLines, schemaFaults } from '@sightline/core/schema.js'
import { type RegistryEntry, RegistryFile, type Source, type SourceFile } from './schema.ts'

/** Beside package.json; this module lies in dist/registry. */
export const BUILT_IN_REGISTRY = fileURLToPath(new URL('../../registry.json', import.meta.url))

/** The models that are known by name. */
export class Registry {
  readonly #entries: ReadonlyMap<string, RegistryEntry>

  constructor(entries: Iterable<RegistryEntry>) {
    this.#entries = new Map([...entries].map(entry => [entry.name, entry]))
  }

  entries(): RegistryEntry[] {
    return [...this.#entries.values()]
  }

  find(name: string): RegistryEntry | undefined {
    return this.#entries.get(name)
  }

  /** @throws MODEL_UNKNOWN, naming those that exist */
  get(name: string): RegistryEntry {
    const entry = this.#entries.get(name)
    if (entry) return entry
    throw fault(
      'MODEL_UNKNOWN',
      `no model is called "${name}"; there are ${[...this.#entries.keys()].join(', ')}`,
    )
  }
}

/**
 * The built-in registry with the given files laid over it: a later entry replaces an earlier one of the same name.
 * @throws MODEL_REGISTRY_INVALID with every fault listed
 */
export async function loadRegistry(extraFiles: readonly string[] = []): Promise<Registry> {
  const entries: RegistryEntry[] = []
  for (const path of [BUILT_IN_REGISTRY, ...extraFiles]) entries.push(...(await readRegistryFile(path)))
  return new Registry(entries)
}

async function readRegistryFile(path: string): Promise<RegistryEntry[]> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (cause) {
    throw fault('MODEL_REGISTRY_INVALID', `${path} cannot be read as JSON`, { cause })
  }
  if (!conforms(RegistryFile, value)) {
    throw fault('MODEL_REGISTRY_INVALID', `${path}:\n${faultLines(schemaFaults(RegistryFile, value))}`)
  }
  const faults = value.models.flatMap((entry, at) =>
    contradictions(entry).map(text => `models.${at}: ${text}`),
  )
  const names = value.models.map(({ name }) => name)
  for (const name of new Set(names.filter((name, at) => names.indexOf(name) !== at))) {
    faults.push(`models: ${name} is listed twice`)
  }
  if (faults.length > 0) throw fault('MODEL_REGISTRY_INVALID', `${path}:\n${faults.join('\n')}`)
  return value.models
}

/** One path may serve two roles (both towers in one file), but not with two hashes. */
function contradictions({ files }: RegistryEntry): string[] {
  const faults: string[] = []
  const seen = new Map<string, SourceFile>()
  for (const file of listed(files)) {
    const known = seen.get(file.path)
    if (known && (known.sha256 !== file.sha256 || known.bytes !== file.bytes)) {
      faults.push(`files: ${file.path} is listed with two sizes or hashes`)
    }
    seen.set(file.path, file)
    if (file.path === 'manifest.json') faults.push('files: manifest.json is written by the pull')
  }
  if (files.variants && files.image.path === files.text.path)
    faults.push('files.variants: the image tower needs a file of its own')
  return faults
}

function listed(files: RegistryEntry['files']): SourceFile[] {
  const { tokenizerConfig, tokenizer, image, text, variants = {}, more = [] } = files
  return [tokenizerConfig, tokenizer, image, text, ...Object.values(variants), ...more]
}

/** Every file once, the small ones first: a wrong revision shows before hundreds of megabytes are fetched. */
export function filesOfEntry({ files }: RegistryEntry): SourceFile[] {
  return [...new Map(listed(files).map(file => [file.path, file])).values()]
}

/** Names a source in pins: the same whichever mirror the bytes came from. */
export function sourceId(source: Source): string {
  return source.kind === 'https' ? source.base : `huggingface:${source.repo}@${source.revision}`
}
